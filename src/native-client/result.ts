// Takes the answer of the kind that the call expects.
import { AgentError } from "../base/errors.ts";

interface Tagged {
  readonly $case: string;
  readonly value: unknown;
}

const isCase = <R extends Tagged, K extends R["$case"]>(result: R, expected: K): result is Extract<R, { $case: K }> =>
  result.$case === expected;

/** @throws AgentError internal when the peer gave another kind of answer */
export function resultOf<R extends Tagged, K extends R["$case"]>(result: R | undefined, expected: K): Extract<R, { $case: K }>["value"] {
  if (result === undefined || !isCase(result, expected)) {
    throw new AgentError("internal", `the answer is ${result?.$case ?? "empty"}, not ${expected}`);
  }
  return result.value;
}
