// Profiles of AppArmor, as the kernel has set them and as the program feels them.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import test from "ava";
import type { Message } from "../lib/cri.ts";
import { isRunning } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const IDLE = ["sleep", "1000"];
/** @param more rules */
const profile = (name: string, more: string): string =>
  `profile ${name} flags=(attach_disconnected, mediate_deleted) {\n  capability,\n  file,\n  ${more}\n}\n`;
const DENY_WRITE = profile("berth-test-deny-write", "signal,\n  deny /** w,");
const DENY_SIGNALS = profile("berth-test-deny-signals", "deny signal,");

const apparmorParser = (option: string, profile: string): unknown => execFileSync("apparmor_parser", [option], { input: profile });
const security = (change: Message): Message => ({ linux: { security_context: change } });
const ofProcess = async (container: Container): Promise<string> =>
  readFileSync(`/proc/${await container.pid()}/attr/apparmor/current`, "utf8").trim();

test("a container runs under the default profile, and so do its commands", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", IDLE);
  t.is(await ofProcess(container), "berth-default (enforce)");
  t.is(await container.output("cat", "/proc/self/attr/apparmor/current"), "berth-default (enforce)");
  t.is(JSON.parse((await container.info())["info"] ?? "{}").appArmor, "berth-default");
  const asked = await pod.start("asked", IDLE, security({ apparmor: { profile_type: "RuntimeDefault" } }));
  t.is(await ofProcess(asked), "berth-default (enforce)");
  await pod.remove();
});

test("under the default profile nothing is mounted and no setting of the kernel is written, whatever the capabilities", async (t) => {
  const pod = await Pod.run(node());
  const capable = { capabilities: { add_capabilities: ["ALL"] }, seccomp: { profile_type: "Unconfined" } };
  const confined = await pod.start("confined", IDLE, security(capable));
  const free = await pod.start("free", IDLE, security({ ...capable, apparmor: { profile_type: "Unconfined" } }));
  const mounts = ["mount", "-t", "tmpfs", "none", "/tmp"];
  t.not((await confined.exec(mounts)).exit_code, 0);
  t.is((await free.exec(mounts)).exit_code, 0);
  const writes = ["sh", "-c", "cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness"];
  t.not((await confined.exec(writes)).exit_code, 0);
  t.is((await free.exec(writes)).exit_code, 0);
  t.is((await confined.exec(["sh", "-c", "echo 7 > /proc/self/oom_score_adj && echo mine > /tmp/file"])).exit_code, 0);
  await pod.remove();
});

test("containers under the default profile are stopped with their own signal, and see the signals of each other", async (t) => {
  const pod = await Pod.run(node());
  const trap = "trap 'echo heard; exit 3' TERM; echo waits; while :; do sleep 1; done";
  const container = await pod.start("one", ["sh", "-c", trap]);
  await container.logged(/waits/);
  t.is((await container.exec(["sh", "-c", "sleep 1000 & kill $! && wait $!; test $? = 143"])).exit_code, 0);
  await container.stop(600);
  t.is((await container.status()).exit_code, 3);
  await pod.remove();
});

test("a privileged container and one that asks for none are unconfined", async (t) => {
  const pod = await Pod.run(node(), security({ privileged: true }));
  for (const [name, wish] of Object.entries({ privileged: { privileged: true }, none: { apparmor_profile: "unconfined" } })) {
    const container = await pod.start(name, IDLE, security(wish));
    t.is(await ofProcess(container), "unconfined");
  }
  await pod.remove();
});

test("a profile of the node is set by its name, once it is loaded", async (t) => {
  const pod = await Pod.run(node());
  const wishes = [
    { apparmor: { profile_type: "Localhost", localhost_ref: "berth-test-deny-write" } },
    { apparmor: { profile_type: "Localhost", localhost_ref: "localhost/berth-test-deny-write" } },
    { apparmor_profile: "localhost/berth-test-deny-write" },
  ];
  for (const wish of wishes) {
    const failure = await t.throwsAsync(pod.create("early", IDLE, security(wish)));
    t.like(failure, { code: status.FAILED_PRECONDITION });
    t.regex(String(failure?.message), /find AppArmor profile berth-test-deny-write: it is not loaded on this node/);
  }
  apparmorParser("--add", DENY_WRITE);
  try {
    for (const [index, wish] of wishes.entries()) {
      const container = await pod.start(`c${index}`, IDLE, security(wish));
      t.is(await ofProcess(container), "berth-test-deny-write (enforce)");
      t.not((await container.exec(["touch", "/tmp/file"])).exit_code, 0);
    }
  } finally {
    await pod.remove();
    apparmorParser("--remove", DENY_WRITE);
  }
});

test("a container whose profile lets nobody signal it ends at its stop all the same", async (t) => {
  apparmorParser("--add", DENY_SIGNALS);
  try {
    const pod = await Pod.run(node());
    const wish = security({ apparmor: { profile_type: "Localhost", localhost_ref: "berth-test-deny-signals" } });
    const [stopped, removed] = [await pod.start("stopped", IDLE, wish), await pod.start("removed", IDLE, wish)];
    await stopped.stop(1);
    t.is((await stopped.status()).exit_code, 137);
    const pid = await removed.pid();
    await pod.remove();
    t.false(isRunning(pid));
  } finally {
    apparmorParser("--remove", DENY_SIGNALS);
  }
});

test("a default profile that somebody has taken away is loaded again by the next container", async (t) => {
  execFileSync("apparmor_parser", ["--remove"], { input: "profile berth-default {}\n" });
  const pod = await Pod.run(node());
  t.is(await ofProcess(await pod.start("one", IDLE)), "berth-default (enforce)");
  await pod.remove();
});
