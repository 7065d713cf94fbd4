import type { Command } from "commander";
import { AgentError } from "../../base/errors.ts";
import { ContainerState } from "../../generated/cri/runtime/v1/api.ts";
import { findContainer } from "../find.ts";
import { containerStatus, listAll } from "../inventory.ts";
import { readLog } from "../log-file.ts";
import { examples, reading } from "../options.ts";
import { previousAttempt } from "../previous-attempt.ts";
import type { Session } from "../session.ts";
import { showLog } from "../show-log.ts";
import { parseSince } from "../times.ts";
import { parseWhole } from "../units.ts";
import { waitForExit } from "../wait-for-exit.ts";

const MOST_TAIL_LINES = 1_000_000;

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: bigint;
  readonly previous?: boolean;
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
    .option(
      "--since <time|duration>",
      "only lines from then on: 2030-01-02T15:04:05Z, or 10s, 5m, 2h ago",
      reading((text) => parseSince(text, session.world.nowMs())),
    )
    .option("-p, --previous", "of the container of this name that ran before it")
    .option("-t, --timestamps", "each line's time before it")
    .action((text: string, options: LogsOptions) => printLog(session, text, options));
  return examples(command, "berth logs web", "berth logs -f --tail 10 shop/web", "berth logs --since 5m -t web", "berth logs -p web");
}

async function printLog(session: Session, text: string, { follow, tail, since, previous, timestamps }: LogsOptions): Promise<void> {
  const { node } = session;
  const { pods, containers } = await listAll(node);
  const named = findContainer(text, containers, pods);
  const { id } = previous === true ? previousAttempt(named, containers) : named;
  const { logPath, state } = await containerStatus(node, id);
  if (logPath === "") throw new AgentError("failed-precondition", `read log of container ${id}: it was made without one`);
  const options = { timestamps: timestamps === true, tailLines: tail, sinceNanos: since };
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
