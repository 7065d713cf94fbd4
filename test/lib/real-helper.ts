// The real helper in a mount namespace of its own, for one test. It needs root and a build.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";
import { HelperClient } from "../../src/native-client/helper.ts";

const START_TIMEOUT_MS = 10_000;
const programs = process.env["BERTH_BIN"] ?? fileURLToPath(new URL("../../build/bin", import.meta.url));

/** @param root what it may write below */
export async function startHelper(t: ExecutionContext, root: string): Promise<HelperClient> {
  const [program, shim, state] = [join(programs, "berth-helper"), join(programs, "berth-shim"), join(root, "state")];
  if (!existsSync(program)) throw new Error(`${program} is not there: build first`);
  await mkdir(state, { recursive: true });
  const socket = join(state, "helper.sock");
  const args = ["--mount", "--propagation", "private", program, "--socket", socket, "--root", root, "--state", state, "--shim", shim];
  const child = spawn("unshare", args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const client = new HelperClient(socket);
  t.teardown(async () => {
    client.close();
    child.kill("SIGTERM");
    await gone;
    if (!t.passed) t.log(log);
  });
  for (const deadline = performance.now() + START_TIMEOUT_MS; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (await client.hello().then(Boolean, () => false)) return client;
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`start ${program}: ${log}`);
  }
}
