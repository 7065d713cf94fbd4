import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../failure.ts";
import { followToEnd } from "../foreground.ts";
import { Interrupts } from "../interrupts.ts";
import { collecting, examples, reading } from "../options.ts";
import { NETWORKS, parseCpus, parseName, parsePair, parseUser, parseVolume, type RunOptions } from "../run-options.ts";
import type { Session } from "../session.ts";
import { startContainer } from "../start-container.ts";
import { parseBytes, parseWhole } from "../units.ts";

const DEFAULT_LOG_ROOT = "/var/log/pods";
// What the kernel counts to.
const MOST_PIDS = 4_194_304;

export function addRun(program: Command, session: Session): Command {
  const command = program
    .command("run")
    .description("run a container, in a pod of its own or in one that is there")
    .argument("<image>", "pulled when it is missing")
    .argument("[command...]", "in place of the image's own arguments; its entrypoint stays")
    .passThroughOptions()
    .option("--name <name>", "of the container [last part of the image's name]", reading(parseName))
    .option("--pod <name>", "the pod to join when it is ready, else to make [the container's name and 4 digits]")
    .option("-d, --detach", "print the ids of pod and container and leave it running")
    .option("--rm", "remove what was made when the container ends")
    .addOption(new Option("-e, --env <k=v>", "a variable; may be repeated").argParser(collecting(parsePair)))
    .addOption(
      new Option("-v, --volume <host:container[:ro]>", "a folder or file of the node; may be repeated").argParser(collecting(parseVolume)),
    )
    .addOption(new Option("-l, --label <k=v>", "on the container, and on a pod that is made").argParser(collecting(parsePair)))
    .option("-m, --memory <size>", "the most memory, 64m", reading(parseBytes))
    .option("--cpus <number>", "the most CPU time, 0.5", reading(parseCpus))
    .option(
      "--pids <number>",
      "the most processes and threads",
      reading((text) => parseWhole(text, 1, MOST_PIDS)),
    )
    .addOption(new Option("--network <mode>", "of a pod that is made [bridge]").choices(NETWORKS))
    .option("-u, --user <user[:group]>", "who runs in the container", reading(parseUser))
    .option("-w, --workdir <path>", "where it runs")
    .addOption(
      new Option("--log-root <folder>", "where a pod that is made has its logs")
        .env("BERTH_LOG_ROOT")
        .default(DEFAULT_LOG_ROOT)
        .argParser((text: string) => resolve(text)),
    )
    .action((image: string, words: string[], options: RunOptions) => run(session, image, words, options));
  return examples(
    command,
    "berth run --rm docker.io/library/busybox echo hello",
    "berth run -d --pod shop --name web -m 64m --cpus 0.5 --pids 32 registry.example/web:1",
    "berth run -d --pod shop --name proxy registry.example/proxy:1 --to localhost:8080",
  );
}

async function run(session: Session, image: string, words: readonly string[], options: RunOptions): Promise<void> {
  if (options.detach && options.rm) throw new UsageError("--rm removes the container when it ends, which -d does not wait for");
  using interrupts = new Interrupts(session.world);
  try {
    const { podId, containerId, remove } = await startContainer(session, image, words, options, interrupts.first);
    if (options.detach) return await session.print(`${podId} ${containerId}\n`);
    const exitCode = await followToEnd(session, containerId, interrupts);
    if (exitCode !== undefined && options.rm) await remove();
    session.exitCode = exitCode ?? interrupts.exitCode;
  } catch (failure) {
    if (!interrupts.first.aborted) throw failure;
    await session.fail(interrupts.first.reason);
    session.exitCode = interrupts.exitCode;
  }
}
