// OCI runtimes of this machine: which there are, and what they say of themselves.
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { AgentError } from "../base/errors.ts";
import type { RuntimeCommand } from "../config/table.ts";
import type { OciRuntime } from "../container/oci-runtime.ts";

const ASK_TIMEOUT_MS = 2000;
const MAX_ANSWER_BYTES = 1024 * 1024;

const isProgram = (path: string): boolean => {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
};

/** The path of a program by its name, or of a path itself; undefined when there is none. */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  if (name.includes("/")) return isProgram(name) ? name : undefined;
  return path
    .split(":")
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** Of handlers, and as a value of the setting `runtime`: the runtime of Berth's own. */
export const DIRECT = "direct";

/** The program of Berth's own runtime, beside the shim that runs it. @param shim as the settings name it */
export function findOwnRuntime(shim: string): string | undefined {
  const path = findProgram(shim);
  return path && findProgram(join(dirname(path), "berth-runtime"));
}

/**
 * Handlers by name: "" is the default, crun where it is installed, else runc.
 *
 * @param more runtimes by handler
 * @param own the program of Berth's own; undefined where it is not there, or the kernel can't run it
 */
export function findRuntimes(
  configured: string,
  more: Readonly<Record<string, RuntimeCommand>>,
  own: string | undefined,
): ReadonlyMap<string, OciRuntime> {
  const runtimes = new Map<string, OciRuntime>();
  if (own !== undefined) runtimes.set(DIRECT, { path: own, args: [], waitsToMove: false });
  for (const name of ["crun", "runc"]) {
    const path = findProgram(name);
    if (path !== undefined) runtimes.set(name, { path, args: [], waitsToMove: true });
  }
  for (const [name, { program, args }] of Object.entries(more))
    runtimes.set(name, { path: requireProgram(program), args, waitsToMove: true });
  const chosen = chooseRuntime(configured, runtimes);
  if (chosen !== undefined) runtimes.set("", chosen);
  return runtimes;
}

function chooseRuntime(configured: string, runtimes: ReadonlyMap<string, OciRuntime>): OciRuntime | undefined {
  if (configured === "") return runtimes.get("crun") ?? runtimes.get("runc");
  if (configured !== DIRECT) return { path: requireProgram(configured), args: [], waitsToMove: true };
  const own = runtimes.get(DIRECT);
  if (own === undefined)
    throw new AgentError("invalid-argument", `find OCI runtime "${DIRECT}": it takes Linux 5.12, and berth-runtime beside the shim`);
  return own;
}

function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new AgentError("invalid-argument", `find OCI runtime ${JSON.stringify(name)}: there is no such program`);
  return path;
}

/** What a runtime says of itself. */
export interface RuntimeFacts {
  /** the first line of its version; "" when it says nothing */
  readonly version: string;
  /** namespaces that it can make and join; undefined when it does not say */
  readonly namespaces?: readonly string[] | undefined;
  /** whether it is built with CRIU; undefined when it does not say */
  readonly checkpoints?: boolean | undefined;
}

/** One that does not answer within two seconds says nothing. */
export async function askRuntime(runtime: OciRuntime): Promise<RuntimeFacts> {
  const [version, features] = await Promise.all([answer(runtime, "--version"), answer(runtime, "features")]);
  return {
    version: version.split("\n")[0]?.trim() ?? "",
    namespaces: namespacesOf(features),
    checkpoints: checkpointsOf(features, version),
  };
}

async function answer({ path, args }: OciRuntime, word: string): Promise<string> {
  const asked = promisify(execFile)(path, [...args, word], {
    timeout: ASK_TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: MAX_ANSWER_BYTES,
    env: { PATH: process.env["PATH"] ?? "" },
  });
  return await asked.then(
    ({ stdout }) => stdout,
    () => "",
  );
}

/** @source the OCI runtime specification, features.md */
export function namespacesOf(features: string): string[] | undefined {
  try {
    const { linux } = JSON.parse(features);
    const names: unknown = linux?.namespaces;
    return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : undefined;
  } catch {
    return undefined;
  }
}

/** crun says so in its version too, in the line of what it is built with. */
export function checkpointsOf(features: string, version: string): boolean | undefined {
  const words = /^\+.*$/m.exec(version)?.[0].split(" ");
  try {
    const { annotations = {} } = JSON.parse(features);
    const said = annotations["org.opencontainers.runc.checkpoint.enabled"] ?? annotations["run.oci.crun.checkpoint.enabled"];
    if (said !== undefined) return said === "true";
  } catch {
    // It has no such call.
  }
  return words?.includes("+CRIU");
}

/** Of a program that does not say so nobody knows whether it can join a user namespace, but for crun and runc. */
export const canJoinUserNamespaces = ({ path }: OciRuntime, { namespaces }: RuntimeFacts): boolean =>
  namespaces === undefined ? ["crun", "runc"].includes(basename(path)) : namespaces.includes("user");

const FIRST_WITH_MOUNT_SETATTR = [5, 12] as const;

/**
 * Whether the kernel has mount_setattr(2). Mounts that are read-only to the last one below them want it, which are the shim's work,
 * whatever the OCI runtime can; and so does Berth's own runtime.
 *
 * @param release "6.1.0-25-amd64"
 */
export function hasMountSetattr(release: string): boolean {
  const [major = 0, minor = 0] = release.split(/[^0-9]/, 2).map(Number);
  const [firstMajor, firstMinor] = FIRST_WITH_MOUNT_SETATTR;
  return major > firstMajor || (major === firstMajor && minor >= firstMinor);
}
