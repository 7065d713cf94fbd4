// A container that was just started, as if it were this very process: its output, its end, its exit code.
import { AgentError } from "../base/errors.ts";
import { RuntimeServiceService as Runtime, StopContainerRequest } from "../generated/cri/runtime/v1/api.ts";
import type { Interrupts } from "./interrupts.ts";
import { containerStatus } from "./inventory.ts";
import { readLog } from "./log-file.ts";
import { message } from "./message.ts";
import type { Session } from "./session.ts";
import { showLog } from "./show-log.ts";
import { waitForExit } from "./wait-for-exit.ts";

const GRACE_SECONDS = 10n;

/**
 * @returns the exit code; undefined when we left before the end
 * @throws AgentError not-found when somebody else removed the container
 */
export async function followToEnd(session: Session, containerId: string, interrupts: Interrupts): Promise<number | undefined> {
  const { node } = session;
  const { logPath } = await containerStatus(node, containerId);
  const ended = new AbortController();
  const exit = waitForExit(node, containerId).finally(() => ended.abort());
  // Heard below, once the log has been shown.
  exit.catch(() => {});
  whenAborted(interrupts.first, () => {
    const stopping = node.ask(Runtime.stopContainer, message(StopContainerRequest, { containerId, timeout: GRACE_SECONDS }));
    stopping.catch((failure: unknown) => session.fail(failure));
  });
  if (logPath === "") await session.print("berth: the pod has no log directory, so there is no output to show\n", "stderr");
  const shown = logPath === "" ? Promise.resolve() : showLog(session, readLog(logPath, ended.signal), { timestamps: false });
  const left = new Promise<"left">((resolve) => whenAborted(interrupts.again, () => resolve("left")));
  const outcome = await Promise.race([shown.then(() => exit), left]);
  if (outcome === "left") return undefined;
  if (outcome === undefined) throw new AgentError("not-found", `follow container ${containerId}: it was removed`);
  return outcome.exitCode;
}

function whenAborted(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener("abort", act, { once: true });
}
