// A seccomp profile in a file of the node, as OCI, Docker and Podman write it: checked whole, and made into what crun and runc take.
// A profile that is not understood to the last field is refused, for what was overlooked could be what should have been denied. Pure.
import { createHash } from "node:crypto";
import { constants } from "node:os";
import { quote, StrictReader } from "../../base/strict-reader.ts";
import type { JsonObject } from "../../image/image-config.ts";
import type { OciSeccomp, OciSeccompArg, OciSyscalls } from "./oci.ts";
import { ARCHITECTURES } from "./seccomp-default.ts";

/** What a profile may make its rules depend on. */
export interface SeccompHost {
  /** as Node names it */
  readonly arch: string;
  /** "6.1.0-18-amd64" */
  readonly kernelRelease: string;
  /** that the container's processes could ever have: the bounding set */
  readonly capabilities: readonly string[];
}

// NOTIFY needs somebody who answers, and is not offered. @source OCI runtime specification, config-linux.md, Seccomp
const ACTIONS = ["ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "TRACE", "TRAP"].map((name) => `SCMP_ACT_${name}`);
// A process that lost one thread neither works nor ends. What runc has in the container before the program is such a process, and its
// start would be waited for without end; so the whole process goes.
const OF_A_THREAD = ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"];
const OPERATORS = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name) => `SCMP_CMP_${name}`);
const WITH_ERRNO = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"];
const MOST_ARGUMENTS = 6;
const MAX_ERRNO = 4095;

// In the words of Docker's `includes.arches`.
const DOCKER_ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * @param path for messages
 * @throws AgentError invalid-argument
 */
export function resolveSeccompProfile(bytes: Uint8Array, path: string, host: SeccompHost): OciSeccomp {
  return new Reader(path, host).profile(bytes);
}

class Reader extends StrictReader {
  readonly #host: SeccompHost;

  constructor(path: string, host: SeccompHost) {
    super(`read seccomp profile ${path}`);
    this.#host = host;
  }

  profile(bytes: Uint8Array): OciSeccomp {
    const json = this.object(this.#parse(bytes), "it", [
      "defaultAction",
      "defaultErrnoRet",
      "defaultErrno",
      "architectures",
      "archMap",
      // None of them changes what is allowed, and runc 1.1 refuses them all.
      "flags",
      "syscalls",
      "comment",
    ]);
    const action = this.#action(json["defaultAction"], "defaultAction");
    const errnoRet = this.#errno(json["defaultErrnoRet"], json["defaultErrno"], "defaultErrnoRet", action);
    this.texts(json["flags"], "flags");
    const rules = this.list(json["syscalls"], "syscalls").flatMap((each, index) => this.#rule(each, `syscalls[${index}]`));
    const filter: OciSeccomp = { defaultAction: action, syscalls: rules };
    if (errnoRet !== undefined) filter.defaultErrnoRet = errnoRet;
    const architectures = this.#architectures(json);
    if (architectures.length > 0) filter.architectures = architectures;
    return { ...filter, syscalls: [...rules, fingerprint(filter)] };
  }

  #parse(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw this.refuse("it is no JSON", cause);
    }
  }

  // Those that this kernel runs: it meets no others, and a runtime may not know their names.
  #architectures(json: JsonObject): string[] {
    const listed = this.list(json["architectures"], "architectures").map((each, index) =>
      this.#architecture(each, `architectures[${index}]`),
    );
    const map = this.list(json["archMap"], "archMap").map((each, index) => {
      const field = `archMap[${index}]`;
      const entry = this.object(each, field, ["architecture", "subArchitectures"]);
      const also = this.list(entry["subArchitectures"], `${field}.subArchitectures`);
      return {
        own: this.#architecture(entry["architecture"], `${field}.architecture`),
        also: also.map((sub, position) => this.#architecture(sub, `${field}.subArchitectures[${position}]`)),
      };
    });
    if (listed.length > 0 && map.length > 0) throw this.refuse("it has both architectures and archMap");
    const known = ARCHITECTURES[this.#host.arch];
    if (known === undefined) return [];
    const mapped = map.filter(({ own }) => own === known.own).flatMap(({ also }) => also);
    const wanted = [known.own, ...listed, ...mapped];
    return [...new Set(wanted)].filter((name) => name === known.own || known.also.includes(name));
  }

  #architecture(value: unknown, field: string): string {
    const name = this.text(value, field);
    if (!/^SCMP_ARCH_[A-Z0-9_]+$/.test(name)) throw this.refuse(`${field} ${quote(name)} is no architecture`);
    return name;
  }

  /**
   * Nothing when the rule is not for this host or container. Two conditions on one argument stay as they are: both runtimes take either
   * of them for enough, and there are profiles that count on it.
   */
  #rule(value: unknown, field: string): OciSyscalls[] {
    const json = this.object(value, field, [
      ...["names", "name", "action", "errnoRet", "errno", "args"],
      ...["includes", "excludes", "comment"],
    ]);
    const action = this.#action(json["action"], `${field}.action`);
    const errnoRet = this.#errno(json["errnoRet"], json["errno"], `${field}.errnoRet`, action);
    const args = this.list(json["args"], `${field}.args`).map((each, index) => this.#argument(each, `${field}.args[${index}]`));
    if (args.length > MOST_ARGUMENTS) throw this.refuse(`${field}.args has over ${MOST_ARGUMENTS} entries`);
    const names = this.#names(json, field);
    const included = this.#conditions(json["includes"], `${field}.includes`).every((each) => each.every(Boolean));
    const excluded = this.#conditions(json["excludes"], `${field}.excludes`).some((each) => each.some(Boolean));
    if (!included || excluded) return [];
    const rule: OciSyscalls = { names, action };
    if (errnoRet !== undefined) rule.errnoRet = errnoRet;
    if (args.length > 0) rule.args = args;
    return [rule];
  }

  // A name that libseccomp does not know is skipped by both runtimes, and stays: which names it knows is its own matter.
  #names(json: JsonObject, field: string): string[] {
    const listed = this.list(json["names"], `${field}.names`);
    const single = json["name"] === undefined || json["name"] === null || json["name"] === "" ? [] : [json["name"]];
    if (listed.length > 0 && single.length > 0) throw this.refuse(`${field} has both name and names`);
    const names = [...listed, ...single];
    if (names.length === 0) throw this.refuse(`${field} names no system call`);
    return names.map((each, index) => {
      const name = this.text(each, `${field}.names[${index}]`);
      if (!/^[a-zA-Z0-9_]{1,64}$/.test(name)) throw this.refuse(`${field}.names[${index}] ${quote(name)} is no name of a system call`);
      return name;
    });
  }

  #argument(value: unknown, field: string): OciSeccompArg {
    const json = this.object(value, field, ["index", "value", "valueTwo", "op"]);
    const argument: OciSeccompArg = {
      index: this.number(json["index"], `${field}.index`, MOST_ARGUMENTS - 1),
      value: this.number(json["value"], `${field}.value`, Number.MAX_SAFE_INTEGER),
      op: this.oneOf(json["op"], `${field}.op`, OPERATORS),
    };
    const two = json["valueTwo"];
    if (two !== undefined && two !== null) argument.valueTwo = this.number(two, `${field}.valueTwo`, Number.MAX_SAFE_INTEGER);
    return argument;
  }

  /** What holds of each condition that is named; all must hold to include a rule, and one excludes it. @source moby/profiles, seccomp */
  #conditions(value: unknown, field: string): boolean[][] {
    if (value === undefined || value === null) return [];
    const json = this.object(value, field, ["caps", "arches", "minKernel"]);
    const caps = this.texts(json["caps"], `${field}.caps`);
    const arches = this.texts(json["arches"], `${field}.arches`);
    const bad = caps.find((name) => !/^CAP_[A-Z_]+$/.test(name));
    if (bad !== undefined) throw this.refuse(`${field}.caps has ${quote(bad)}, which is no capability`);
    const minKernel = this.text(json["minKernel"] ?? "", `${field}.minKernel`);
    return [
      caps.map((name) => this.#host.capabilities.includes(name)),
      arches.length === 0 ? [] : [arches.includes(DOCKER_ARCH[this.#host.arch] ?? this.#host.arch)],
      minKernel === "" ? [] : [this.#isKernelAtLeast(minKernel, `${field}.minKernel`)],
    ];
  }

  #isKernelAtLeast(wanted: string, field: string): boolean {
    const least = /^(\d{1,3})\.(\d{1,3})$/.exec(wanted);
    if (least === null) throw this.refuse(`${field} ${quote(wanted)} is not like 4.8`);
    const [version = 0, major = 0] = this.#host.kernelRelease.split(/[^0-9]/, 2).map(Number);
    return version > Number(least[1]) || (version === Number(least[1]) && major >= Number(least[2]));
  }

  /** @param name Podman's second way to say it; alone it counts, beside a number the number does */
  #errno(value: unknown, name: unknown, field: string, action: string): number | undefined {
    let errno: number | undefined;
    if (value !== undefined && value !== null) errno = this.number(value, field, MAX_ERRNO);
    if (name !== undefined && name !== null && name !== "") {
      const named = Object.entries(constants.errno).find(([each]) => each === name)?.[1];
      if (named === undefined) throw this.refuse(`${field.replace("Ret", "")} ${quote(name)} is no name of an error`);
      errno ??= named;
    }
    if (errno !== undefined && !WITH_ERRNO.includes(action)) throw this.refuse(`${field} has no meaning with ${action}`);
    return errno;
  }

  #action(value: unknown, field: string): string {
    const written = this.oneOf(value, field, ACTIONS);
    return OF_A_THREAD.includes(written) ? "SCMP_ACT_KILL_PROCESS" : written;
  }
}

/**
 * A rule that does what is done anyway, so both runtimes leave it out unread. Its name is of the whole filter: a crun with a cache
 * keeps compiled filters by a digest that leaves out errno values, and would give a container the filter of another of its pod whose
 * profile differs only in those.
 */
function fingerprint(filter: OciSeccomp): OciSyscalls {
  const digest = createHash("sha256").update(JSON.stringify(filter)).digest("hex");
  const rule: OciSyscalls = { names: [`berth_${digest}`], action: filter.defaultAction };
  if (filter.defaultErrnoRet !== undefined) rule.errnoRet = filter.defaultErrnoRet;
  return rule;
}
