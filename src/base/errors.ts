// The closed set of error kinds: the kind tells the caller what to do, the message tells a person what
// was being done, `cause` keeps the rest. native/wire mirrors the kinds.

const ERROR_KINDS = [
  "invalid-argument",
  "not-found",
  "already-exists",
  "failed-precondition",
  "resource-exhausted",
  "deadline-exceeded",
  "cancelled",
  "unavailable",
  "unimplemented",
  "internal",
  "unknown",
] as const;

/** "unknown" is only for the errors that the kubelet reads by their prefix, such as RegistryUnavailable. */
export type ErrorKind = (typeof ERROR_KINDS)[number];

export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly kind: ErrorKind;
  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The kind of anything that was thrown; what is not ours is internal, but for a full disk, which can happen anywhere. */
export function kindOf(thrown: unknown): ErrorKind {
  if (thrown instanceof AgentError) return thrown.kind;
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT" ? "resource-exhausted" : "internal";
}

/** @throws AgentError failed-precondition with the warnings where the node is strict and there are some */
export function refuseWhereStrict(strict: boolean, warnings: readonly string[]): void {
  if (strict && warnings.length > 0)
    throw new AgentError("failed-precondition", `this node is strict, and can't do all that is asked: ${warnings.join("; ")}`);
}

/** Adds context and keeps the kind, so wrapping never turns not-found into internal. */
export function wrap(cause: unknown, doing: string): AgentError {
  return new AgentError(kindOf(cause), `${doing}: ${messageOf(cause)}`, { cause });
}

/** Runs `work`; what it throws gets the context `doing`. */
export async function during<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw wrap(cause, doing);
  }
}

/**
 * Runs every step, whatever the others do, for teardown that must go on after a failure.
 *
 * @throws AgentError of the first failure's kind, its `cause` an AggregateError of them all
 */
export async function allSteps(doing: string, steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (failure) {
      failures.push(failure);
    }
  }
  throwAll(doing, failures);
}

/** The same for steps that are under way at the same time: waits for all of them. */
export async function allAtOnce(doing: string, steps: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(steps);
  throwAll(
    doing,
    results.flatMap((result): unknown[] => (result.status === "rejected" ? [result.reason] : [])),
  );
}

function throwAll(doing: string, failures: readonly unknown[]): void {
  if (failures.length === 0) return;
  const messages = failures.map(messageOf).join("; ");
  throw new AgentError(kindOf(failures[0]), `${doing}: ${messages}`, { cause: new AggregateError(failures, doing) });
}
