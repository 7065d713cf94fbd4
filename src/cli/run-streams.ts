// Exec and attach with our own standard streams.
import { Interrupts } from "./interrupts.ts";
import { runRemote } from "./remote-process.ts";
import type { Session } from "./session.ts";
import { RawTerminal } from "./terminal.ts";

/** Sets the exit code to that of the process; of a Ctrl-C without a terminal, to what a shell gives. */
export async function runStreams(session: Session, url: string, { tty, stdin }: { tty: boolean; stdin: boolean }): Promise<void> {
  using interrupts = new Interrupts(session.world);
  using terminal = tty ? new RawTerminal(session.world.terminal) : undefined;
  const local = {
    stdin: stdin ? session.world.stdin : undefined,
    print: (bytes: Uint8Array, stream: "stdout" | "stderr") => session.print(bytes, stream),
    onResize: terminal?.onResize ?? (() => () => {}),
    gone: interrupts.first,
  };
  try {
    session.exitCode = await runRemote(url, local);
  } catch (failure) {
    if (!interrupts.first.aborted) throw failure;
    session.exitCode = interrupts.exitCode;
  }
}
