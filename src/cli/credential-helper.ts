// docker-credential-NAME: programs that keep credentials in a keyring. They run as the user of this command line, on standard input
// and output, and their words are never told: they may have the secret in them.
import { spawn } from "node:child_process";
import { AgentError, messageOf } from "../base/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Verb = "get" | "store" | "erase";

const LONGEST_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
const NAME = /^[A-Za-z0-9_.-]+$/;

/**
 * @returns undefined when the helper has nothing of this name
 * @throws AgentError failed-precondition when it can't be run, or fails
 */
export async function runCredentialHelper(helper: string, verb: Verb, input: string, env: Environment): Promise<string | undefined> {
  if (!NAME.test(helper))
    throw new AgentError("failed-precondition", `run credential helper ${JSON.stringify(helper)}: that is no name of one`);
  const program = `docker-credential-${helper}`;
  const doing = `run ${program} ${verb}`;
  const child = spawn(program, [verb], { env, stdio: ["pipe", "pipe", "inherit"], timeout: LONGEST_MS });
  const output = new Promise<{ code: number | null; text: string }>((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.length > MAX_OUTPUT_BYTES) child.kill("SIGKILL");
    });
    child.once("error", (failure) => reject(new AgentError("failed-precondition", `${doing}: ${messageOf(failure)}`)));
    child.once("close", (code) => resolve({ code, text }));
  });
  // It may end before it has read all, and says why itself.
  child.stdin.on("error", () => {}).end(input);
  const { code, text } = await output;
  if (code === 0) return text;
  if (verb !== "store" && /credentials not found/.test(text)) return undefined;
  throw new AgentError("failed-precondition", `${doing}: it ${code === null ? "was ended" : `failed with code ${code}`}`);
}
