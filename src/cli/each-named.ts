// A command's targets, one after the other or all at once: a failure of one does not keep the others.
import type { Session } from "./session.ts";

/** Prints the names that went well, and tells each failure. */
export async function forEachNamed(session: Session, names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      try {
        await work(name);
      } catch (failure) {
        await session.fail(failure);
        return;
      }
      await session.print(`${name}\n`);
    }),
  );
}
