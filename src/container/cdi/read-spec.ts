// A file of the Container Device Interface, checked to the last field: what was overlooked could be what keeps a device apart. Pure.
import { parse } from "yaml";
import { quote, StrictReader } from "../../base/strict-reader.ts";
import { type CdiDeviceNode, type CdiEdits, type CdiHook, type CdiMount, type CdiSpec, HOOK_NAMES } from "./cdi-spec.ts";
import { isDeviceName, isKind } from "./device-name.ts";

const VERSIONS = ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"];
const EDITS = ["env", "deviceNodes", "mounts", "hooks", "additionalGids", "intelRdt", "netDevices"];
const DEVICE_NODE = ["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"];
const NODE_TYPES = ["b", "c", "u", "p"] as const;
const MAX_ID = 2 ** 32 - 1;
const MAX_MODE = 0o7777;
const MAX_TIMEOUT_SECONDS = 3600;

/**
 * @param path for messages; its ending says whether it is JSON or YAML
 * @throws AgentError invalid-argument
 */
export function readSpec(bytes: Uint8Array, path: string): CdiSpec {
  return new SpecReader(`read CDI spec ${path}`).spec(bytes, path.endsWith(".json"));
}

class SpecReader extends StrictReader {
  spec(bytes: Uint8Array, isJson: boolean): CdiSpec {
    const json = this.object(this.#parse(bytes, isJson), "it", ["cdiVersion", "kind", "annotations", "devices", "containerEdits"]);
    this.oneOf(String(json["cdiVersion"]).replace(/^v/, ""), "cdiVersion", VERSIONS);
    const kind = this.text(json["kind"], "kind");
    if (!isKind(kind)) throw this.refuse(`kind ${quote(kind)} is not like vendor.com/class`);
    const devices = new Map<string, CdiEdits>();
    for (const [index, each] of this.list(json["devices"], "devices").entries()) {
      const field = `devices[${index}]`;
      const device = this.object(each, field, ["name", "annotations", "containerEdits"]);
      const name = this.text(device["name"], `${field}.name`);
      if (!isDeviceName(name)) throw this.refuse(`${field}.name ${quote(name)} is no name of a device`);
      if (devices.has(name)) throw this.refuse(`${field}.name ${quote(name)} is there twice`);
      devices.set(name, this.#edits(device["containerEdits"], `${field}.containerEdits`));
    }
    if (devices.size === 0) throw this.refuse("it has no devices");
    return { kind, devices, containerEdits: this.#edits(json["containerEdits"] ?? {}, "containerEdits") };
  }

  #parse(bytes: Uint8Array, isJson: boolean): unknown {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      // Version 1.1, as the programs read it that most vendors try their files with: a mode 0660 is octal.
      return isJson ? JSON.parse(text) : parse(text, { version: "1.1", maxAliasCount: 100 });
    } catch (cause) {
      const [why = ""] = (cause instanceof Error ? cause.message : "").split("\n");
      throw this.refuse(`it is no ${isJson ? "JSON" : "YAML"}: ${why}`, cause);
    }
  }

  #edits(value: unknown, field: string): CdiEdits {
    const json = this.object(value, field, EDITS);
    for (const name of ["intelRdt", "netDevices"]) {
      if (json[name] !== undefined && json[name] !== null) throw this.refuse(`${field}.${name} is not offered`);
    }
    return {
      env: this.#env(json["env"], `${field}.env`),
      deviceNodes: this.#each(json["deviceNodes"], `${field}.deviceNodes`, (each, at) => this.#deviceNode(each, at)),
      mounts: this.#each(json["mounts"], `${field}.mounts`, (each, at) => this.#mount(each, at)),
      hooks: this.#each(json["hooks"], `${field}.hooks`, (each, at) => this.#hook(each, at)),
      additionalGids: this.#each(json["additionalGids"], `${field}.additionalGids`, (each, at) => this.number(each, at, MAX_ID)),
    };
  }

  #deviceNode(value: unknown, field: string): CdiDeviceNode {
    const json = this.object(value, field, DEVICE_NODE);
    const number = (name: string, most: number): number | undefined =>
      json[name] === undefined || json[name] === null ? undefined : this.number(json[name], `${field}.${name}`, most);
    const permissions = this.text(json["permissions"] ?? "", `${field}.permissions`);
    if (!/^(?:[rwm]{0,3}|none)$/.test(permissions))
      throw this.refuse(`${field}.permissions ${quote(permissions)} are not of "r", "w" and "m"`);
    const type = json["type"] ?? "";
    return {
      path: this.#path(json["path"], `${field}.path`),
      hostPath: (json["hostPath"] ?? "") === "" ? undefined : this.#path(json["hostPath"], `${field}.hostPath`),
      type: type === "" ? undefined : this.oneOf(type, `${field}.type`, NODE_TYPES),
      major: number("major", MAX_ID),
      minor: number("minor", MAX_ID),
      fileMode: number("fileMode", MAX_MODE),
      permissions: permissions === "" ? undefined : permissions,
      uid: number("uid", MAX_ID),
      gid: number("gid", MAX_ID),
    };
  }

  #mount(value: unknown, field: string): CdiMount {
    const json = this.object(value, field, ["hostPath", "containerPath", "type", "options"]);
    return {
      hostPath: this.text(json["hostPath"], `${field}.hostPath`),
      containerPath: this.#path(json["containerPath"], `${field}.containerPath`),
      type: this.text(json["type"] ?? "", `${field}.type`),
      options: this.texts(json["options"], `${field}.options`),
    };
  }

  #hook(value: unknown, field: string): CdiHook {
    const json = this.object(value, field, ["hookName", "path", "args", "env", "timeout"]);
    const timeout = json["timeout"] ?? undefined;
    if (timeout === 0) throw this.refuse(`${field}.timeout is no time`);
    return {
      hookName: this.oneOf(json["hookName"], `${field}.hookName`, HOOK_NAMES),
      path: this.#path(json["path"], `${field}.path`),
      args: this.texts(json["args"], `${field}.args`),
      env: this.#env(json["env"], `${field}.env`),
      timeout: timeout === undefined ? undefined : this.number(timeout, `${field}.timeout`, MAX_TIMEOUT_SECONDS),
    };
  }

  #env(value: unknown, field: string): string[] {
    const all = this.texts(value, field);
    const bad = all.find((each) => each.indexOf("=") < 1 || each.includes("\0"));
    if (bad !== undefined) throw this.refuse(`${field} has ${quote(bad)}, which is no NAME=value`);
    return all;
  }

  #path(value: unknown, field: string): string {
    const path = this.text(value, field);
    if (!path.startsWith("/") || path.includes("\0")) throw this.refuse(`${field} ${quote(path)} is no absolute path`);
    return path;
  }

  #each<T>(value: unknown, field: string, read: (each: unknown, field: string) => T): T[] {
    return this.list(value, field).map((each, index) => read(each, `${field}[${index}]`));
  }
}
