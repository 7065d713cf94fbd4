// How a failure is told: one line that says what went wrong, and where it helps a hint at what to do. Pure.
import { status } from "@grpc/grpc-js";
import { messageOf } from "../base/errors.ts";

export interface Telling {
  readonly line: string;
  readonly hint: string | undefined;
}

/** A command line that asks for something there is no sense in; it ends with code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const START_HINT = "is berthd running? start it with `make up`";
const ROOT_HINT = "berth needs root";

/** @param socket the path that was dialled */
export function tell(failure: unknown, socket: string): Telling {
  if (!isServiceError(failure)) return { line: oneLine(messageOf(failure)), hint: hintOfSystemError(failure) };
  const { code, details } = failure;
  if (code === status.UNAVAILABLE) return unavailable(details, socket);
  return { line: oneLine(details === "" ? `the node answered ${status[code]}` : details), hint: hintOf(code, details) };
}

// What no program could have said, as with Docker: its own codes are 0 to 124 as a rule.
const NOT_STARTED = 125;
const CANNOT_RUN = 126;
const NOT_FOUND = 127;

/** The exit code of `run` and `exec` when the program did not run: 127 when it is not there, 126 when it can't be run, else 125. */
export function codeOfUnstarted(failure: unknown): number {
  // What is no answer of the node's came with the streams of the command.
  if (isServiceError(failure) && ![status.INVALID_ARGUMENT, status.INTERNAL].includes(failure.code)) return NOT_STARTED;
  const text = messageOf(failure);
  if (/executable file|exec[^:]*: .*no such file or directory/i.test(text) && /not found|no such file/i.test(text)) return NOT_FOUND;
  return /permission denied|exec format error|is a directory/i.test(text) ? CANNOT_RUN : NOT_STARTED;
}

export const hasCode = (failure: unknown, code: status): boolean => isServiceError(failure) && failure.code === code;

function isServiceError(failure: unknown): failure is Error & { code: status; details: string } {
  return failure instanceof Error && "details" in failure && typeof failure.details === "string" && "code" in failure;
}

// The connection's own failures come as text only.
const CONNECTION_FAILURE = /^(No connection established|Connection dropped|Stream refused by server)/;

function unavailable(details: string, socket: string): Telling {
  // What the node itself says of somebody else's socket is its own word.
  if (!CONNECTION_FAILURE.test(details)) return { line: oneLine(details), hint: undefined };
  if (details.includes("ENOENT")) return { line: `connect ${socket}: there is no such socket`, hint: START_HINT };
  if (details.includes("ECONNREFUSED")) return { line: `connect ${socket}: nobody listens there`, hint: START_HINT };
  if (/EACCES|EPERM/.test(details)) return { line: `connect ${socket}: permission denied`, hint: ROOT_HINT };
  return { line: oneLine(`ask the node at ${socket}: ${details}`), hint: undefined };
}

function hintOf(code: status, details: string): string | undefined {
  if (code === status.UNIMPLEMENTED) return "this node does not offer that; `berth version` says which versions are talking";
  if (code !== status.NOT_FOUND) return undefined;
  const image = /\bimage "?([^\s"]+)"? is not on this node/.exec(details)?.[1];
  return image === undefined ? undefined : `fetch it with \`berth pull ${image}\``;
}

function hintOfSystemError(failure: unknown): string | undefined {
  const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
  return code === "EACCES" || code === "EPERM" ? ROOT_HINT : undefined;
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, "; ");
