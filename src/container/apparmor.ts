// AppArmor of this kernel: which profiles it has, and the default one, which is loaded the first time that a container wants it.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { AgentError, messageOf } from "../base/errors.ts";
import { DEFAULT_PROFILE, DEFAULT_PROFILE_NAME } from "./spec/apparmor-default.ts";

const KERNEL = {
  enabled: "/sys/module/apparmor/parameters/enabled",
  profiles: "/sys/kernel/security/apparmor/profiles",
};
const LOAD_TIMEOUT_MS = 30_000;

export interface AppArmor {
  /** @returns why no profile can be set; undefined where one can */
  problem(): Promise<string | undefined>;
  /** @returns why the default one can't be set */
  defaultProblem(): Promise<string | undefined>;
  isLoaded(profile: string): Promise<boolean>;
  /** Loads the default profile where it is not loaded. @returns its name @throws AgentError failed-precondition */
  ensureDefault(): Promise<string>;
}

/** @param parser the path of apparmor_parser; undefined where it is not installed */
export function kernelAppArmor(parser: string | undefined, { enabled, profiles } = KERNEL): AppArmor {
  // It is decided at the start of the kernel; which profiles there are may change at any time.
  const isEnabled = readFile(enabled, "utf8").then(
    (text) => text.startsWith("Y"),
    () => false,
  );
  const problem = async (): Promise<string | undefined> => {
    if (!(await isEnabled)) return "this kernel has no AppArmor";
    return await readFile(profiles).then(
      () => undefined,
      (cause: unknown) => `profiles of AppArmor can't be read: ${messageOf(cause)}`,
    );
  };
  // A line is "name (mode)", and a name may have spaces.
  const isLoaded = async (profile: string): Promise<boolean> =>
    (await readFile(profiles, "utf8")).split("\n").some((line) => line.slice(0, line.lastIndexOf(" (")) === profile);
  const defaultProblem = async (): Promise<string | undefined> =>
    (await problem()) ?? (parser === undefined ? "apparmor_parser is not installed" : undefined);
  // One that is there may be of another version.
  let isOurs = false;
  const ensureDefault = async (): Promise<string> => {
    if (!isOurs || !(await isLoaded(DEFAULT_PROFILE_NAME))) await load(parser ?? "apparmor_parser");
    isOurs = true;
    return DEFAULT_PROFILE_NAME;
  };
  return { problem, defaultProblem, isLoaded, ensureDefault };
}

async function load(parser: string): Promise<void> {
  const refuse = (why: string): AgentError =>
    new AgentError("failed-precondition", `load AppArmor profile ${DEFAULT_PROFILE_NAME}: ${why}`);
  // Nothing is kept in a cache: it is one small profile.
  const child = spawn(parser, ["--replace", "--skip-cache"], { stdio: ["pipe", "ignore", "pipe"], timeout: LOAD_TIMEOUT_MS });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  // It may end before it has read all.
  child.stdin.on("error", () => {});
  child.stdin.end(DEFAULT_PROFILE);
  await new Promise<void>((resolve, reject) => {
    child.once("error", (failure) => reject(refuse(failure.message)));
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(refuse(`${parser} ended with ${signal ?? `exit code ${code}`}: ${said.trim()}`));
    });
  });
}
