// A node is taken down on purpose: while it runs by the command line, and without it by berthd itself.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { kernelObjectsOf } from "../lib/kernel.ts";
import { programs, TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";

test.serial("berth reset removes every pod of a running node, and its images", async (t) => {
  const node = await TestNode.start(t);
  const { succeeds, berth } = berthOf(() => node);
  const pod = await Pod.run(node);
  await pod.start("one", ["sleep", "1000"]);
  t.regex(await succeeds("reset", "--dry-run", "--images"), /^pod .*\nimage /m);
  t.is((await pod.status()).status.state, "SANDBOX_READY");
  t.is((await berth("reset")).code, 2);
  await succeeds("reset", "-f", "--images");
  t.is(await succeeds("pods", "-o", "json"), "[]\n");
  t.is(await succeeds("images", "-o", "json"), "[]\n");
  t.is((await berth("audit")).code, 0);
});

test.serial("berthd --reset all takes down a node that does not run, and leaves the machine as it was", async (t) => {
  const before = kernelObjectsOf("/nowhere", "none");
  const node = await TestNode.start(t);
  const pod = await Pod.run(node, { port_mappings: [{ protocol: "TCP", container_port: 80, host_port: 18_090 }] });
  await pod.start("one", ["sleep", "1000"]);
  const folders = ["--root", node.root, "--state", node.state, "--registry-config-dir", node.registryConfigDir];
  const reset = (...more: string[]) => promisify(execFile)(join(programs, "berthd"), [...folders, "--reset", ...more], { timeout: 60_000 });
  const refused = await t.throwsAsync<Error & { stderr: string }>(reset("all"));
  t.regex(refused?.stderr ?? "", /^berthd: (listen on|open records in) /m);
  t.is((await pod.status()).status.state, "SANDBOX_READY");
  const instanceId = await node.instanceId();
  await node.shutdown();
  writeFileSync(join(node.root, "mine"), "kept");
  // A volume that stayed mounted: it is let go of, and what is in it does not go with the node's folders.
  const [volume, place] = [join(node.folder, "volume"), join(node.state, "pods", "somebody")];
  for (const folder of [volume, place]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(volume, "precious"), "kept");
  execFileSync("mount", ["--bind", volume, place]);
  await reset("all");
  t.deepEqual(kernelObjectsOf(node.folder, instanceId), before);
  t.is(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim(), "0");
  t.deepEqual(readdirSync(node.root), ["mine"]);
  t.deepEqual(readdirSync(volume), ["precious"]);
  t.false(existsSync(node.state));
  await t.throwsAsync(reset("everything"), { message: /reset "everything" is not one of pods, images, all/ });
});
