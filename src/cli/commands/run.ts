import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { parseEnvFile } from "../env-file.ts";
import { codeOfUnstarted, UsageError } from "../failure.ts";
import { followToEnd } from "../foreground.ts";
import { Interrupts } from "../interrupts.ts";
import { collecting, examples, reading } from "../options.ts";
import {
  NETWORKS,
  type Pair,
  parseCapability,
  parseCpus,
  parseName,
  parsePair,
  parseUser,
  PULL_POLICIES,
  type RunOptions,
} from "../run-options.ts";
import { parsePort } from "../run-ports.ts";
import { parseDevice, parseMount, parseVolume } from "../run-volumes.ts";
import { parseAppArmor, parseSeccomp, parseSecurityOption, type SecurityOptions } from "../security-options.ts";
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
    .addOption(many("-e, --env <k=v>", "a variable; may be repeated", parsePair))
    .addOption(many("--env-file <file>", "variables, one K=V a line; may be repeated, and -e goes before it", (text) => text))
    .addOption(
      many(
        "-v, --volume <host:container[:ro]>",
        "a folder or file of the node; also :rslave or :rshared, to see later mounts",
        parseVolume,
      ),
    )
    .addOption(many("--mount <source=,target=>", "the same in Docker's long form, with readonly and bind-propagation=", parseMount))
    .addOption(many("--device <host[:container][:rwm]>", "a device of the node; may be repeated", parseDevice))
    .addOption(
      many("-p, --publish <[ip:]host:pod[/udp]>", "a port of the node that leads to a pod that is made; may be repeated", parsePort),
    )
    .addOption(many("-l, --label <k=v>", "on the container, and on a pod that is made", parsePair))
    .option("-m, --memory <size>", "the most memory, 64m", reading(parseBytes))
    .option("--cpus <number>", "the most CPU time, 0.5", reading(parseCpus))
    .option(
      "--pids <number>",
      "the most processes and threads",
      reading((text) => parseWhole(text, 1, MOST_PIDS)),
    )
    .addOption(new Option("--network <mode>", "of a pod that is made [bridge]; closed, or none, is loopback only").choices(NETWORKS))
    .addOption(many("--dns <address>", "a name server of a pod that is made, instead of the node's; may be repeated", (text) => text))
    .addOption(many("--dns-search <domain>", "where names without dots are looked up; may be repeated", (text) => text))
    .option("--hostname <name>", "of a pod that is made [its name]")
    .addOption(many("--sysctl <k=v>", "of the pod's own namespaces, net.core.somaxconn=512; may be repeated", parsePair))
    .option("--entrypoint <program>", "in place of the image's entrypoint")
    .option("-u, --user <user[:group]>", "who runs in the container", reading(parseUser))
    .option("-w, --workdir <path>", "where it runs")
    .option("--read-only", "nothing can be written to the container's root")
    .addOption(many("--cap-add <name>", "NET_ADMIN, or ALL; may be repeated", parseCapability))
    .addOption(many("--cap-drop <name>", "NET_RAW, or ALL; may be repeated", parseCapability))
    .option("--privileged", "all capabilities and devices of the node, and no system call filter")
    .option("--no-new-privileges", "set-user-ID programs and the like give no more rights")
    .option("--seccomp <profile>", "default, unconfined, or a file of the node [default]", reading(parseSeccomp))
    .option("--apparmor <profile>", "default, unconfined, or one that the node has loaded [default, where it can]", reading(parseAppArmor))
    .addOption(
      many(
        "--security-opt <option>",
        "Docker's form of these: seccomp=, apparmor=, no-new-privileges; may be repeated",
        parseSecurityOption,
      ),
    )
    .addOption(new Option("--pull <policy>", "when the image is fetched [missing]").choices(PULL_POLICIES))
    .addOption(new Option("--restart <policy>", "not offered: a container is not started again").hideHelp())
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

/** An option that may be given again and again. */
const many = <T>(flags: string, description: string, parse: (text: string) => T): Option =>
  new Option(flags, description).argParser(collecting(parse));

async function run(session: Session, image: string, words: readonly string[], options: RunOptions): Promise<void> {
  if (options.restart !== undefined && options.restart !== "no")
    throw new UsageError("--restart is not offered: Berth starts no container again by itself; a service manager or a kubelet does");
  if (options.detach && options.rm) throw new UsageError("--rm removes the container when it ends, which -d does not wait for");
  const security: SecurityOptions = Object.assign({}, ...(options.securityOpt ?? []));
  const env = [...(await readEnvFiles(options.envFile ?? [])), ...(options.env ?? [])];
  const asked = { ...options, ...security, env };
  using interrupts = new Interrupts(session.world);
  try {
    const { podId, containerId, remove } = await startContainer(session, image, words, asked, interrupts.first);
    if (options.detach) return await session.print(`${podId} ${containerId}\n`);
    const exitCode = await followToEnd(session, containerId, interrupts);
    if (exitCode !== undefined && options.rm) await remove();
    session.exitCode = exitCode ?? interrupts.exitCode;
  } catch (failure) {
    if (failure instanceof UsageError) throw failure;
    const interrupted = interrupts.first.aborted;
    await session.fail(interrupted ? interrupts.first.reason : failure);
    session.exitCode = interrupted ? interrupts.exitCode : codeOfUnstarted(failure);
  }
}

async function readEnvFiles(paths: readonly string[]): Promise<Pair[]> {
  const files = await Promise.all(paths.map(async (path) => parseEnvFile(await readFile(path, "utf8"), path, process.env)));
  return files.flat();
}
