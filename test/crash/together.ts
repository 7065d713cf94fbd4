// Parts of one run that go on at the same time: the first failure ends them all, and is told with the steps that led to it.
import { Violation } from "./journal.ts";
import { Aborted, type World } from "./world.ts";

export async function together(world: World, parts: readonly Promise<void>[]): Promise<void> {
  await Promise.all(
    parts.map((part) =>
      part.catch((failure: unknown) => {
        if (!(failure instanceof Aborted)) world.failure ??= failure;
      }),
    ),
  );
}

/** @param told of the run, in front of what was done in it @throws Error with the steps, when something did not hold */
export function verdict(world: World, told: string): string {
  const { failure, journal, node } = world;
  journal.keep(node.log);
  if (!world.aborted) return `${told}: ${journal.summary()}${journal.mended.map((line) => `\n  ${line}`).join("")}`;
  const why = failure instanceof Error ? (failure instanceof Violation ? failure.message : failure.stack) : String(failure);
  throw new Error(journal.report(`${told}: ${why}`, /^([a-z]+\d+(?:r\d+)?)/.exec(why ?? "")?.[1] ?? ""));
}
