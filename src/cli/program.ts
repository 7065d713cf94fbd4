// The subcommands under one program, with what they have in common.
import { Command, Option } from "commander";
import { addAudit } from "./commands/audit.ts";
import { addAttach } from "./commands/attach.ts";
import { addComplete } from "./commands/complete.ts";
import { addCompletion } from "./commands/completion.ts";
import { addCheckpoint } from "./commands/checkpoint.ts";
import { addCp } from "./commands/cp.ts";
import { addConfig } from "./commands/config.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvents } from "./commands/events.ts";
import { addExec } from "./commands/exec.ts";
import { addHistory } from "./commands/history.ts";
import { addImages } from "./commands/images.ts";
import { addInspect } from "./commands/inspect.ts";
import { addLoad } from "./commands/load.ts";
import { addLogin } from "./commands/login.ts";
import { addLogout } from "./commands/logout.ts";
import { addLogs } from "./commands/logs.ts";
import { addNetwork } from "./commands/network.ts";
import { addPods } from "./commands/pods.ts";
import { addPrune } from "./commands/prune.ts";
import { addPortForward } from "./commands/port-forward.ts";
import { addPs } from "./commands/ps.ts";
import { addPull } from "./commands/pull.ts";
import { addReset } from "./commands/reset.ts";
import { addRm } from "./commands/rm.ts";
import { addRmi } from "./commands/rmi.ts";
import { addRun } from "./commands/run.ts";
import { addSave } from "./commands/save.ts";
import { addStats } from "./commands/stats.ts";
import { addStop } from "./commands/stop.ts";
import { addTag } from "./commands/tag.ts";
import { addTimeline } from "./commands/timeline.ts";
import { addVersion } from "./commands/version.ts";
import { addWhy } from "./commands/why.ts";
import { examples } from "./options.ts";
import type { Session } from "./session.ts";

const DEFAULT_SOCKET = "/run/berth/berth.sock";

const COMMANDS = [
  addRun,
  addPods,
  addPs,
  addInspect,
  addLogs,
  addExec,
  addCp,
  addCheckpoint,
  addAttach,
  addPortForward,
  addStats,
  addEvents,
  addStop,
  addRm,
  addTimeline,
  addImages,
  addHistory,
  addPull,
  addLoad,
  addSave,
  addTag,
  addRmi,
  addLogin,
  addLogout,
  addPrune,
  addNetwork,
  addReset,
  addWhy,
  addAudit,
  addDoctor,
  addConfig,
  addVersion,
  addCompletion,
  addComplete,
] as const;

export function buildProgram(session: Session): Command {
  const { stdout, stderr } = session.world;
  const program = new Command("berth")
    .description("Runs pods and containers on this node, through berthd.")
    .usage("[--socket PATH] COMMAND ...")
    .addOption(new Option("--socket <path>", "berthd's socket").env("BERTH_SOCKET").default(DEFAULT_SOCKET))
    // What follows a container's command belongs to that command, so options have their place.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) =>
        write(
          `berth: ${text
            .replace(/^error: /, "")
            .trim()
            .replace(/\s*\n\s*/g, " ")}\n`,
        ),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .hook("preAction", (_, command) => {
      session.socket = command.opts<{ socket?: string }>().socket ?? program.opts<{ socket: string }>().socket;
    });
  for (const add of COMMANDS) {
    // People write it after the command too.
    add(program, session).addOption(new Option("--socket <path>").hideHelp());
  }
  return examples(
    program,
    "berth run --rm docker.io/library/busybox echo hello",
    "berth run -d --name web -m 64m --cpus 0.5 registry.example/web:1",
    "berth logs -f web",
  );
}
