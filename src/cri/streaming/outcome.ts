// How a command ended, as the clients of Kubernetes read it on the error stream.
// @source k8s.io/apimachinery metav1.Status, remotecommand v4
import { messageOf } from "../../base/errors.ts";

export type Outcome = { readonly exitCode: number } | { readonly failure: unknown };

/** From version 4 on: one JSON object. */
export function statusObject(outcome: Outcome): string {
  if ("failure" in outcome) {
    const message = `Internal error occurred: ${messageOf(outcome.failure)}`;
    return JSON.stringify({ metadata: {}, status: "Failure", reason: "InternalError", message, code: 500 });
  }
  if (outcome.exitCode === 0) return JSON.stringify({ metadata: {}, status: "Success" });
  const causes = [{ reason: "ExitCode", message: String(outcome.exitCode) }];
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: exitMessage(outcome.exitCode),
    details: { causes },
  });
}

/** Before version 4: a text, empty on success. */
export function statusText(outcome: Outcome): string {
  if ("failure" in outcome) return messageOf(outcome.failure);
  return outcome.exitCode === 0 ? "" : exitMessage(outcome.exitCode);
}

const exitMessage = (code: number): string => `command terminated with non-zero exit code: exit status ${code}`;
