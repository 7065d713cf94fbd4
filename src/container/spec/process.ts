// What runs in a container: arguments, environment, folder, user. Pure.
import { AgentError } from "../../base/errors.ts";
import type { ImageConfig } from "../../image/image-config.ts";
import type { ContainerConfig } from "../records.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Kubernetes' rule: a command replaces the image's entrypoint and its cmd, args replace its cmd.
 *
 * @throws AgentError invalid-argument when neither names a program
 */
export function processArgs(config: Pick<ContainerConfig, "command" | "args">, image: Pick<ImageConfig, "entrypoint" | "cmd">): string[] {
  const program = config.command.length > 0 ? config.command : image.entrypoint;
  const replaced = config.command.length > 0 || config.args.length > 0;
  const args = [...program, ...(replaced ? config.args : image.cmd)];
  if (args.length === 0 || args[0] === "") {
    throw new AgentError("invalid-argument", "find the command: neither the container config nor the image names one");
  }
  const bad = args.find((arg) => arg.includes("\0"));
  if (bad !== undefined) throw new AgentError("invalid-argument", `read command: ${JSON.stringify(bad)} holds a NUL byte`);
  return args;
}

/** What a program finds out from its variables, where neither image nor caller say it. */
export interface Surroundings {
  readonly hostname: string;
  readonly tty: boolean;
  /** undefined for a container of a berthd that did not know it */
  readonly home: string | undefined;
}

/** The image's variables, then the caller's; a later one of the same name wins, in the place of the earlier. */
export function processEnv(
  config: Pick<ContainerConfig, "envs">,
  image: Pick<ImageConfig, "env">,
  { hostname, tty, home }: Surroundings,
): string[] {
  const byName = new Map<string, string>([[nameOf(DEFAULT_PATH), DEFAULT_PATH]]);
  // A runtime that has to look for it reads the container's /etc/passwd once more, whatever that is by now.
  if (home !== undefined) byName.set("HOME", `HOME=${home}`);
  // What containerd says too; a program at a terminal asks it what the terminal can do.
  if (tty) byName.set("TERM", "TERM=xterm");
  if (hostname !== "") byName.set("HOSTNAME", `HOSTNAME=${hostname}`);
  for (const entry of image.env) byName.set(nameOf(entry), entry);
  for (const [name, value] of config.envs) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new AgentError(
        "invalid-argument",
        `read environment variable ${JSON.stringify(name)}: a name has no "=" and neither part a NUL byte`,
      );
    }
    byName.set(name, `${name}=${value}`);
  }
  return [...byName.values()];
}

/** @throws AgentError invalid-argument unless absolute */
export function workingDirectory(config: Pick<ContainerConfig, "workingDir">, image: Pick<ImageConfig, "workingDir">): string {
  const dir = config.workingDir || image.workingDir || "/";
  if (!dir.startsWith("/") || dir.includes("\0")) {
    throw new AgentError("invalid-argument", `read working directory ${JSON.stringify(dir)}: it is not an absolute path`);
  }
  return dir;
}

const nameOf = (entry: string): string => entry.slice(0, Math.max(0, entry.indexOf("=")));

/**
 * The user in the form of an image's config, for the shim to look up in the container's own root.
 *
 * @throws AgentError invalid-argument for a group without a user, or an id that is no user id
 */
export function requestedUser(config: Pick<ContainerConfig, "security">, image: Pick<ImageConfig, "user">): string {
  const { runAsUser, runAsGroup, runAsUsername } = config.security;
  if (runAsUser === undefined && runAsUsername === "") {
    if (runAsGroup !== undefined) throw new AgentError("invalid-argument", "read run_as_group: it needs run_as_user or run_as_username");
    return image.user;
  }
  if (runAsUser !== undefined && runAsUsername !== "")
    throw new AgentError("invalid-argument", `read run_as_username ${JSON.stringify(runAsUsername)}: there is a run_as_user too`);
  const user = runAsUser === undefined ? runAsUsername : String(inRange("run_as_user", runAsUser));
  if (user.includes(":")) throw new AgentError("invalid-argument", `read run_as_username ${JSON.stringify(user)}: it holds a colon`);
  return runAsGroup === undefined ? user : `${user}:${inRange("run_as_group", runAsGroup)}`;
}

const LARGEST_ID = 2n ** 31n - 1n;

function inRange(field: string, id: bigint): bigint {
  if (id < 0n || id > LARGEST_ID) throw new AgentError("invalid-argument", `read ${field} ${id}: it is not within 0 to ${LARGEST_ID}`);
  return id;
}
