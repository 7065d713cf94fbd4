// What went wrong between us and a registry, in kinds that tell the caller what to do.
import { AgentError, type ErrorKind, kindOf, messageOf } from "../../base/errors.ts";
import { abortError } from "../abortable-calls.ts";

/** Another try may help. */
export class PassingFailure extends AgentError {
  /** when the registry wants to be asked again, in milliseconds from now; 0 when it does not say */
  readonly retryAfterMs: number;
  constructor(kind: ErrorKind, message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(kind, message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The registry can't be reached, or says that it can't serve now. */
class RegistryUnavailable extends PassingFailure {
  constructor(message: string, retryAfterMs: number, options?: ErrorOptions) {
    super("unavailable", message, retryAfterMs, options);
  }
}

/** Looks through added context. */
export function isRegistryUnavailable(failure: unknown): boolean {
  for (let cause = failure; cause instanceof Error; cause = cause.cause) if (cause instanceof RegistryUnavailable) return true;
  return false;
}

// Waiting does not mend these: somebody has to set the trust right.
const CERTIFICATE_PROBLEM = /CERT|_SIGNATURE|_CRL|^ERR_TLS|^ERR_SSL|^HOSTNAME_MISMATCH$/;

/** @param failure of the HTTP client; errors of our own come through */
export function transportError(failure: unknown, doing: string, signal: AbortSignal): AgentError {
  if (signal.aborted) return abortError(signal);
  if (failure instanceof AgentError) return failure;
  const code = failure instanceof Error && "code" in failure ? String(failure.code) : "";
  const message = `${doing}: ${messageOf(failure) || code}`;
  if (CERTIFICATE_PROBLEM.test(code)) return new AgentError("failed-precondition", message, { cause: failure });
  return new RegistryUnavailable(message, 0, { cause: failure });
}

/**
 * @param body what the registry said, already bounded
 * @param retryAfter the header
 */
export function statusError(statusCode: number, doing: string, body: Buffer, retryAfter = ""): AgentError {
  // It ends in logs and on terminals.
  const said = body
    .toString("utf8")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  const afterMs = retryAfterMs(retryAfter);
  const wish = afterMs > 0 ? ` (it wants to be asked again after ${Math.ceil(afterMs / 1000)} s)` : "";
  const message = `${doing}: HTTP ${statusCode}${said === "" ? "" : `: ${said.slice(0, 512)}`}${wish}`;
  if (statusCode === 404) return new AgentError("not-found", message);
  if (statusCode === 401 || statusCode === 403)
    return new AgentError("failed-precondition", `${message} (unauthorized: check the credentials)`);
  if (statusCode === 429) return new PassingFailure("resource-exhausted", message, afterMs);
  if (statusCode >= 500 || statusCode === 408) return new RegistryUnavailable(message, afterMs);
  return new AgentError("internal", message);
}

/** @source RFC 9110 section 10.2.3: seconds, or a date */
function retryAfterMs(header: string): number {
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(ms, 0);
}

/** Of several hosts tried in order. The registry itself comes last, and its word counts most. */
export function ofHosts(failures: readonly unknown[]): AgentError {
  const last = failures.at(-1);
  if (failures.length === 1 && last instanceof AgentError) return last;
  const message = failures.map(messageOf).join("; ") || "no host of the table has what is needed";
  const cause = new AggregateError(failures, message);
  if (isRegistryUnavailable(last)) return new RegistryUnavailable(message, 0, { cause });
  return new AgentError(failures.length === 0 ? "failed-precondition" : kindOf(last), message, { cause });
}
