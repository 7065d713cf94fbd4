// Fills a node with pods, and takes the machine's power away: nothing is told to end, and what is not on the disk is lost.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { FACTS, type Facts, FOLDERS } from "./reboot-folder.ts";

mkdirSync(dirname(FACTS), { recursive: true });
// Nothing is taken down.
const node = await TestNode.start({ teardown: () => {} }, FOLDERS);
const pod = await Pod.run(node);
const stopped = await Pod.run(node);
await stopped.stop();
const running = await pod.start("running", ["sh", "-c", "echo written; sleep 1000"]);
const created = await pod.create("created", ["sleep", "1000"]);
const exited = await pod.start("exited", ["sh", "-c", "exit 7"]);
await running.logged(/written/);
await exited.reached("CONTAINER_EXITED");
const facts: Facts = {
  bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  image: node.image,
  pod: pod.id,
  stoppedPod: stopped.id,
  running: running.id,
  created: created.id,
  exited: exited.id,
};
const file = openSync(FACTS, "w");
writeSync(file, JSON.stringify(facts));
fsyncSync(file);
closeSync(file);
const folder = openSync(dirname(FACTS), "r");
fsyncSync(folder);
console.log("vm: the power goes");
writeFileSync("/proc/sysrq-trigger", "b");
