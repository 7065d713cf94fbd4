// Ids as people type them: whole, or a beginning that only one object has.
import { AgentError } from "../base/errors.ts";
import { asContainerId, asSandboxId, type ContainerId, type SandboxId } from "../base/ids.ts";
import type { Engine } from "./engine.ts";

const ID_DIGITS = 64;

export function resolveSandboxId(engine: Engine, text: string): SandboxId {
  return asSandboxId(resolve(text, "pod sandbox", () => engine.sandboxes.list()));
}

export function resolveContainerId(engine: Engine, text: string): ContainerId {
  return asContainerId(resolve(text, "container", () => engine.containers.list()));
}

// Callers other than people send whole ids, so the list is only walked for people.
function resolve(text: string, what: string, list: () => readonly { readonly id: string }[]): string {
  if (text === "" || text.length >= ID_DIGITS) return text;
  const matches = list().filter((each) => each.id.startsWith(text));
  if (matches.length > 1) throw new AgentError("invalid-argument", `find ${what} ${text}: ${matches.length} ids begin like that`);
  return matches[0]?.id ?? text;
}
