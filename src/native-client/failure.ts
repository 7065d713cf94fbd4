// The error kinds of proto/berth/native/common.proto as ours.
import { AgentError, type ErrorKind } from "../base/errors.ts";
import { ErrorKind as WireKind, type Failure } from "../generated/berth/native/common.ts";

const KINDS: Readonly<Record<WireKind, ErrorKind>> = {
  [WireKind.ERROR_KIND_INTERNAL]: "internal",
  [WireKind.ERROR_KIND_INVALID_ARGUMENT]: "invalid-argument",
  [WireKind.ERROR_KIND_NOT_FOUND]: "not-found",
  [WireKind.ERROR_KIND_ALREADY_EXISTS]: "already-exists",
  [WireKind.ERROR_KIND_FAILED_PRECONDITION]: "failed-precondition",
  [WireKind.ERROR_KIND_RESOURCE_EXHAUSTED]: "resource-exhausted",
  [WireKind.ERROR_KIND_DEADLINE_EXCEEDED]: "deadline-exceeded",
  [WireKind.ERROR_KIND_CANCELLED]: "cancelled",
  [WireKind.ERROR_KIND_UNAVAILABLE]: "unavailable",
  [WireKind.ERROR_KIND_UNIMPLEMENTED]: "unimplemented",
  [WireKind.UNRECOGNIZED]: "internal",
};

/** A kind that a newer peer made up is internal. */
export function asAgentError(failure: Failure): AgentError {
  return new AgentError(KINDS[failure.kind] ?? "internal", failure.message);
}
