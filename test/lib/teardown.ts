// Who takes away what a test has made: the test itself at its end, or all tests of a file at theirs.
import type { TestFn } from "ava";

export interface Teardown {
  teardown(step: () => Promise<void> | void): void;
}

/** of the file that this process runs, the last one first */
const steps: (() => Promise<void> | void)[] = [];
let isRegistered = false;

/** Something that all tests of a file share: made before the first, taken away after the last, in the opposite order. */
export function shared<T>(test: TestFn, make: (t: Teardown) => Promise<T>): () => T {
  let made: T | undefined;
  test.before(async () => {
    made = await make({ teardown: (step) => steps.unshift(step) });
  });
  if (!isRegistered) {
    isRegistered = true;
    test.after.always(async () => {
      for (const step of steps) await step();
    });
  }
  return () => {
    if (made === undefined) throw new Error("what the tests of this file share was not made");
    return made;
  };
}
