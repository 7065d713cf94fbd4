// A shim that is short of something: it waits for that, works on, and forgets nobody.
import { readdirSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { ShimClient } from "../../src/native-client/shim.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

// crun, and after its exec a crowd of orphans that end before it does.
const ORPHANS = 600;
const RUNTIME = `#!/bin/sh
crun "$@" || exit
case " $* " in *" exec "*) ;; *) exit 0 ;; esac
i=0
while [ $i -lt ${ORPHANS} ]; do (true &) & i=$((i+1)); [ $((i % 50)) -ne 0 ] || wait; done
wait
`;

const runtime = shared(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "runtime"), RUNTIME);
  await chmod(join(folder, "runtime"), 0o755);
  return join(folder, "runtime");
});
const node = shared(test, (t) => TestNode.start(t, { flags: ["--runtime", runtime()] }));

test("a command's exit code is known also when hundreds of orphans have ended between it and its runtime", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  for (const code of [7, 8]) t.is((await container.exec(["sh", "-c", `exit ${code}`])).exit_code, code);
  await pod.remove();
});

const TICKS_PER_SECOND = 100;

/** Of its user and system time. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** So that the process can open nothing more. @returns undoes it */
function takeDescriptors(pid: number): () => void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  const limit = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1] ?? "";
  const set = (soft: number | string): void => void execFileSync("prlimit", ["--pid", String(pid), `--nofile=${soft}:`]);
  set([...open, open.size].findIndex((_, free) => !open.has(free)));
  return () => set(limit);
}

test("a shim without a free descriptor keeps its callers waiting, and does not spin", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done"]);
  const shimPid = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
  const [socket = ""] = readdirSync(join(node().state, "s")).filter((name) => pod.id.startsWith(name));
  const giveBack = takeDescriptors(shimPid);
  let isAnswered = false;
  try {
    const called = ShimClient.open(join(node().state, "s", socket), "test", () => {}).finally(() => {
      isAnswered = true;
    });
    // Of a test that ends early.
    called.catch(() => {});
    const [before, startedAtMs] = [cpuSeconds(shimPid), performance.now()];
    const written = (await container.log()).length;
    await container.logged(new RegExp(`^stdout F line ${written + 15}$`));
    const share = (cpuSeconds(shimPid) - before) / ((performance.now() - startedAtMs) / 1000);
    t.true(share < 0.05, `it has used ${share} of a processor`);
    t.false(isAnswered);
    giveBack();
    const caller = await called;
    t.is((await caller.hello()).pid, shimPid);
    caller.close();
  } finally {
    giveBack();
  }
  await pod.remove();
});
