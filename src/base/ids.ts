// Ids are branded once, at the edge, so that a sandbox id can't be passed where a container id is due.
import { randomBytes } from "node:crypto";
import { AgentError } from "./errors.ts";

declare const brand: unique symbol;
export type SandboxId = string & { readonly [brand]: "SandboxId" };
export type ContainerId = string & { readonly [brand]: "ContainerId" };

// 64 hexadecimal digits, the form that log collectors and cAdvisor look for.
const ID_BYTES = 32;
const ID = /^[0-9a-f]{64}$/;

const random = (): string => randomBytes(ID_BYTES).toString("hex");
export const newSandboxId = (): SandboxId => random() as SandboxId;
export const newContainerId = (): ContainerId => random() as ContainerId;

/** Takes ids as they come from outside; an id of another form names nothing. */
export const asSandboxId = (text: string): SandboxId => checked(text, "pod sandbox") as SandboxId;
export const asContainerId = (text: string): ContainerId => checked(text, "container") as ContainerId;

function checked(text: string, what: string): string {
  if (text === "") throw new AgentError("invalid-argument", `find ${what}: the id is empty`);
  // Anything else is bounded and simply not found, so that stop and remove stay idempotent.
  return ID.test(text) ? text : text.slice(0, 128);
}

/** An id as people read it. */
export const shortId = (id: string): string => id.slice(0, 13);
