// `berth`: a client of berthd's socket. Runs one command line to its end and gives the exit code.
import { CommanderError } from "commander";
import { UsageError } from "./failure.ts";
import { buildProgram } from "./program.ts";
import { Session, type World } from "./session.ts";

const BAD_USAGE = 2;

/** @param args without node and the program's own path */
export async function main(args: readonly string[], world: World): Promise<number> {
  const session = new Session(world);
  try {
    await buildProgram(session).parseAsync(args, { from: "user" });
  } catch (failure) {
    // Commander has told its own failures already; help that was asked for is none.
    if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : BAD_USAGE;
    await session.fail(failure);
    if (failure instanceof UsageError) return BAD_USAGE;
  } finally {
    session.close();
  }
  return session.exitCode;
}
