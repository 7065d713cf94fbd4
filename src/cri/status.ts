// The one map from our error kinds to gRPC codes.
import { status } from "@grpc/grpc-js";
import { type ErrorKind, kindOf, messageOf } from "../base/errors.ts";

/** `satisfies` makes a new kind without a code a compile error. */
const GRPC_CODE = {
  "invalid-argument": status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  "already-exists": status.ALREADY_EXISTS,
  "failed-precondition": status.FAILED_PRECONDITION,
  "resource-exhausted": status.RESOURCE_EXHAUSTED,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unknown: status.UNKNOWN,
} satisfies Record<ErrorKind, status>;

// Headers carry the message, and HTTP/2 peers bound their headers.
const MAX_DETAILS_CHARACTERS = 4096;

export function toStatus(failure: unknown): { code: status; details: string } {
  const details = messageOf(failure);
  return {
    code: GRPC_CODE[kindOf(failure)],
    details: details.length > MAX_DETAILS_CHARACTERS ? `${details.slice(0, MAX_DETAILS_CHARACTERS)}…` : details,
  };
}
