import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { ContainerState } from "../../generated/cri/runtime/v1/api.ts";
import { findContainer } from "../find.ts";
import { containerStatus, listAll } from "../inventory.ts";
import { readLog } from "../log-file.ts";
import { examples, reading } from "../options.ts";
import type { Session } from "../session.ts";
import { showLog } from "../show-log.ts";
import { parseWhole } from "../units.ts";
import { waitForExit } from "../wait-for-exit.ts";

const MOST_TAIL_LINES = 1_000_000;

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
}

export function addLogs(program: Command, session: Session): Command {
  const command = program
    .command("logs")
    .description("print what a container has written")
    .argument("<container>", "id, beginning of an id, POD/NAME, or name")
    .option("-f, --follow", "go on until the container has exited")
    .option(
      "--tail <lines>",
      "only the last ones",
      reading((text) => parseWhole(text, 0, MOST_TAIL_LINES)),
    )
    .option("-t, --timestamps", "each line's time before it")
    .action((text: string, options: LogsOptions) => printLog(session, text, options));
  return examples(command, "berth logs web", "berth logs -f --tail 10 shop/web");
}

async function printLog(session: Session, text: string, { follow, tail, timestamps }: LogsOptions): Promise<void> {
  const { node } = session;
  const { pods, containers } = await listAll(node);
  const { id } = findContainer(text, containers, pods);
  const { logPath, state } = await containerStatus(node, id);
  if (logPath === "") throw new AgentError("failed-precondition", `read log of container ${id}: it was made without one`);
  const options = { timestamps: timestamps === true, tailLines: tail };
  if (follow !== true) {
    // The file is made by the start.
    if (state !== ContainerState.CONTAINER_CREATED) await showLog(session, readLog(logPath), options);
    return;
  }
  const ended = new AbortController();
  const exit = waitForExit(node, id).finally(() => ended.abort());
  // Heard below, once all that was written has been shown.
  exit.catch(() => {});
  await showLog(session, readLog(logPath, ended.signal), options);
  await exit;
}
