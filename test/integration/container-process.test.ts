// What a container's process and its commands are started with: descriptors, folder, capabilities, groups, and the programs of the
// node that they come near.
import { readFileSync, statSync } from "node:fs";
import test from "ava";
import { raceOverwrites } from "../crash/race-overwrites.ts";
import { hasBecome, strayDescriptors, strayFolder } from "../lib/confinement.ts";
import { copyRuntimes, flagsOf } from "../lib/copied-runtimes.ts";
import { cgroupFile } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const runtimes = shared(test, copyRuntimes);
const node = shared(test, (t) => TestNode.start(t, { flags: flagsOf(runtimes()) }));

const BUSYBOX = "/bin/busybox";
const FOLDERS_OUT = [
  ...[3, 4, 5, 6, 7, 8, 9, 10].map((number) => `/proc/self/fd/${number}`),
  "/proc/self/fd/7/../../..",
  "/proc/self/cwd/../..",
  "/proc/self/root/../..",
  "/proc/thread-self/cwd",
  "/proc/1/cwd",
  "/../../../..",
];

const statusOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/status`, "utf8")
      .split("\n")
      .map((line) => line.split(":\t", 2) as [string, string]),
  );

/** Runs a command that stays, and looks at its process. */
async function duringExec(container: Container, look: (pid: number) => void | Promise<void>): Promise<void> {
  const command = ["sleep", "4321"];
  const { answer, cancel } = node().cri.cancellable("ExecSync", { container_id: container.id, cmd: command });
  const given = answer.catch((failure: unknown) => failure);
  const path = await container.cgroupPath();
  const pids = (): number[] => cgroupFile(path, "memory", "cgroup.procs", "cgroup.procs").split("\n").filter(Boolean).map(Number);
  const pid = await node().eventually("the command runs", async () => pids().find((each) => isCommand(each, command)));
  try {
    await look(pid);
  } finally {
    cancel();
    await given;
  }
}

function isCommand(pid: number, command: readonly string[]): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") === command.map((word) => `${word}\0`).join("");
  } catch {
    return false;
  }
}

const stray = (pid: number): string[] => [...strayDescriptors(pid), ...strayFolder(pid)];

for (const runtime of RUNTIMES) {
  // CVE-2024-21626, CVE-2022-24769
  test(`a process and its commands have three descriptors, a folder of the container's and no inheritable capability (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    for (const tty of [false, true]) {
      const container = await pod.start(`tty-${tty}`, ["sleep", "1000"], { tty });
      const pid = await container.pid();
      await node().eventually("the program runs", async () => hasBecome(pid, BUSYBOX));
      const look = (each: number): void => {
        t.deepEqual(stray(each), []);
        t.is(statusOf(each)["CapInh"], "0".repeat(16));
        t.is(statusOf(each)["CapAmb"], "0".repeat(16));
      };
      look(pid);
      await duringExec(container, look);
    }
    await pod.remove();
  });

  test(`standard input that nobody sends is a device of the pod's own, which is its process's to change (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.start("one", ["sleep", "1000"], { linux: { security_context: { run_as_user: { value: 1000 } } } });
    const pid = await container.pid();
    await node().eventually("the program runs", async () => hasBecome(pid, BUSYBOX));
    const nodes = statSync("/dev/null");
    const look = (each: number): void => {
      const its = statSync(`/proc/${each}/fd/0`);
      t.is(its.rdev, nodes.rdev);
      t.not(its.dev, nodes.dev);
    };
    look(pid);
    await duringExec(container, look);
    t.is((await container.exec(["sh", "-c", "chmod 0 /proc/self/fd/0; wc -c; echo x > /dev/null"])).stdout.toString(), "0\n");
    await pod.remove();
  });

  test(`a working directory that leads through descriptors or upwards ends in the container, or nowhere (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    let ran = 0;
    for (const [index, working_dir] of FOLDERS_OUT.entries()) {
      const container = await pod.create(`folder-${index}`, ["sleep", "1000"], { working_dir });
      const refusal = await container.start().then(
        () => "",
        (failure: unknown) => String(failure),
      );
      if (refusal === "") {
        ran++;
        const pid = await container.pid();
        await node().eventually("the program runs", async () => hasBecome(pid, BUSYBOX));
        t.deepEqual(stray(pid), [], working_dir);
        // A command begins there too, and what the path means to it may differ.
        const command = container.exec(["pwd"]).then(
          ({ stdout, stderr }) => `${stdout}${stderr}`,
          (failure: unknown) => String(failure),
        );
        t.notRegex(await command, /unreachable|\/pods\//, working_dir);
      } else {
        t.regex(refusal, /start container [0-9a-f]{64}: /, working_dir);
      }
      await container.remove();
    }
    t.true(ran > 0, "one that only leads upwards ends at the root");
    await pod.remove();
  });

  // CVE-2019-5736
  test(`a container can't write to the programs that start it and its commands (${runtime})`, async (t) => {
    t.log(await raceOverwrites(t, node(), runtimes(), { runtime, tries: 12 }));
    t.pass();
  });

  // CVE-2022-2989, CVE-2022-36109, CVE-2023-25173
  test(`a process has the groups that were asked for, and those of its image unless the policy is strict (${runtime})`, async (t) => {
    const users = [
      { user: { run_as_username: "tester" }, primary: 1000, ofImage: [2000] },
      { user: { run_as_user: { value: 1000 }, run_as_group: { value: 77 } }, primary: 77, ofImage: [2000] },
      { user: { run_as_user: { value: 4711 } }, primary: 0, ofImage: [] },
    ];
    const pod = await Pod.run(node(), {}, runtime);
    const cases = users.flatMap((user) =>
      // The kubelet adds a pod's fsGroup to the supplemental groups of its containers.
      [[], [5000], [3000, 4000], [3000, 4000, 5000]].flatMap((asked) =>
        (["Merge", "Strict"] as const).map((policy) => ({ ...user, asked, policy })),
      ),
    );
    for (const [index, { user, primary, ofImage, asked, policy }] of cases.entries()) {
      // The others are the other runtimes'.
      if (index % RUNTIMES.length !== RUNTIMES.indexOf(runtime)) continue;
      const linux = { security_context: { ...user, supplemental_groups: asked, supplemental_groups_policy: policy } };
      const container = await pod.start(`groups-${index}`, ["sleep", "1000"], { linux });
      const wanted = [...new Set([primary, ...(policy === "Merge" ? ofImage : []), ...asked])].sort((a, b) => a - b);
      const pid = await container.pid();
      await node().eventually("the program runs", async () => hasBecome(pid, BUSYBOX));
      const groups = statusOf(pid)["Groups"]?.trim().split(" ").map(Number);
      t.deepEqual(groups, wanted, JSON.stringify({ user, asked, policy }));
      t.is(statusOf(pid)["Gid"], Array(4).fill(primary).join("\t"));
      await container.remove();
    }
    await pod.remove();
  });
}
