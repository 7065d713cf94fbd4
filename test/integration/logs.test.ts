// A container's log over its rotations, by the caller and by the node: no line is lost, and none is torn.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const MAX_BYTES = 65_536;
const MAX_FILES = 30;
// What was in the pipe goes to one file.
const MOST_BYTES = MAX_BYTES + 2 * 65_536;
const PADDING = "x".repeat(150);

const node = shared(test, (t) =>
  TestNode.start(t, { flags: ["--container-log-max-size", String(MAX_BYTES), "--container-log-max-files", String(MAX_FILES)] }),
);
const { succeeds } = berthOf(node);

const ROTATED = { annotations: { "berth.io/rotate-logs": "true" } };

/** Prints numbered lines up to `last`, then `done`. */
const counter = (last: number): string[] => [
  "sh",
  "-c",
  `i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo line $i ${PADDING}; done; echo done; sleep 1000`,
];

/** All files of a log, the oldest first. */
function filesOf(logPath: string): string[] {
  const [folder, name] = [dirname(logPath), basename(logPath)];
  const older = readdirSync(folder).filter((each) => each.startsWith(`${name}.`));
  return [...older.sort(), name].map((each) => join(folder, each));
}

/** @throws when a line is not whole */
function numbersIn(text: string): number[] {
  return text
    .split("\n")
    .slice(0, -1)
    .filter((line) => !line.endsWith(" stdout F done"))
    .map((line) => {
      const number = /^\S+ stdout F line (\d+) x{150}$/.exec(line)?.[1];
      if (number === undefined) throw new Error(`no whole line: ${JSON.stringify(line)}`);
      return Number(number);
    });
}

/** Says where the numbers do not follow one another. */
const gap = (numbers: readonly number[]): string | undefined => {
  const at = numbers.findIndex((number, index) => index > 0 && number !== (numbers[index - 1] ?? 0) + 1);
  return at < 0 ? undefined : `${numbers[at]} after ${numbers[at - 1]}`;
};

/** From 1 to `last`, without a gap. */
const isWhole = (numbers: readonly number[], last: number): boolean =>
  numbers[0] === 1 && numbers.at(-1) === last && gap(numbers) === undefined;

/** The last line may be in an older file already; and what is listed may have another name by now, or none. */
const isWritten = (logPath: string): boolean => filesOf(logPath).some((file) => textIfThere(file).endsWith(" done\n"));

function textIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw failure;
  }
}

const allWritten = (logPath: string) => node().eventually("all is written", async () => (isWritten(logPath) ? true : undefined));

test("a log is renamed and reopened fifty times while it is written", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("counter", counter(20_000));
  const { log_path } = await container.status();
  for (let round = 10; round < 60; round++) {
    await rename(log_path, `${log_path}.${round}`);
    await node().cri.call("ReopenContainerLog", { container_id: container.id });
    t.true(statSync(log_path).isFile());
  }
  await allWritten(log_path);
  const files = filesOf(log_path);
  t.is(files.length, 51);
  const texts = files.map((file) => readFileSync(file, "utf8"));
  for (const text of texts) t.true(text === "" || text.endsWith("\n"), "a file ends with a line");
  const numbers = texts.flatMap(numbersIn);
  t.true(isWhole(numbers, 20_000), gap(numbers));
  await container.stop();
  t.like(await t.throwsAsync(node().cri.call("ReopenContainerLog", { container_id: container.id })), {
    code: status.FAILED_PRECONDITION,
  });
  await pod.remove();
});

test("a caller that was not answered gives the old file its name back, over the one that is written: no line is lost", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("counter", [
    "sh",
    "-c",
    `trap 'echo done; exit 0' TERM; i=0; while :; do i=$((i+1)); echo line $i ${PADDING}; sleep 0.01; done`,
  ]);
  const { log_path } = await container.status();
  await container.logged(/ line 3 /);
  await node().crash();
  const isKilled = node().bootUntil("answered shim reopenLog", 30_000);
  await rename(log_path, `${log_path}.1`);
  let isOver = false;
  void isKilled.finally(() => {
    isOver = true;
  });
  while (!isOver)
    await node()
      .cri.call("ReopenContainerLog", { container_id: container.id })
      .catch(() => {});
  t.true(await isKilled);
  t.true(existsSync(log_path), "the shim has begun a new file");
  // As a kubelet does it.
  await rename(`${log_path}.1`, log_path);
  await node().boot();
  const last = numbersIn(readFileSync(log_path, "utf8")).at(-1) ?? 0;
  await container.logged(new RegExp(` line ${last + 20} `));
  await container.stop(10);
  const numbers = numbersIn(readFileSync(log_path, "utf8"));
  t.true(isWhole(numbers, numbers.at(-1) ?? 0), gap(numbers));
  await pod.remove();
});

test("a pod that asks for it has its logs rotated, also while berthd is away, and the oldest files go", async (t) => {
  const pod = await Pod.run(node(), ROTATED);
  const container = await pod.start("counter", ["sh", "-c", `until [ -e /tmp/go ]; do sleep 0.02; done; ${counter(30_000)[2]}`]);
  const { log_path } = await container.status();
  await container.output("sh", "-c", "(sleep 0.3; touch /tmp/go) >/dev/null 2>&1 &");
  await node().crash();
  await allWritten(log_path);
  const files = filesOf(log_path);
  t.is(files.length, MAX_FILES);
  for (const file of files.slice(0, -1)) {
    t.regex(basename(file), /^counter\.log\.\d{8}-\d{6}(\.\d{9})?$/, "named as the kubelet names them");
    const { size } = statSync(file);
    t.true(size >= MAX_BYTES && size <= MOST_BYTES, `${size}`);
  }
  const numbers = files.flatMap((file) => numbersIn(readFileSync(file, "utf8")));
  t.deepEqual([gap(numbers), numbers.at(-1)], [undefined, 30_000]);
  await node().boot();
  await pod.remove();
});

test("a pod that does not ask for it has one file", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("counter", counter(2000));
  const { log_path } = await container.status();
  await allWritten(log_path);
  t.is(filesOf(log_path).length, 1);
  t.like(await t.throwsAsync(Pod.run(node(), { annotations: { "berth.io/rotate-logs": "yes" } })), { code: status.INVALID_ARGUMENT });
  await pod.remove();
});

test("berth run asks for it, and berth logs reads over the rotations, as they come and afterwards", async (t) => {
  const last = 5000;
  const long = `dd if=/dev/zero bs=100000 count=1 2>/dev/null | tr '\\0' y; echo`;
  const script = `${long}; i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo line $i ${PADDING}; done`;
  const [, containerId = ""] = (
    await succeeds("run", "-d", "--log-root", join(node().folder, "run-logs"), node().image, "sh", "-c", `${script}; sleep 0.5`)
  )
    .trim()
    .split(" ");
  const expected = ["y".repeat(100_000), ...Array.from({ length: last }, (_, index) => `line ${index + 1} ${PADDING}`), ""].join("\n");
  t.true((await succeeds("logs", "-f", containerId)) === expected, "followed");
  t.true((await succeeds("logs", containerId)) === expected, "afterwards");
  t.is(await succeeds("logs", "--tail", "1", containerId), `line ${last} ${PADDING}\n`);
  const { status: found } = await node().cri.call<{ status: { log_path: string } }>("ContainerStatus", { container_id: containerId });
  t.true(filesOf(found.log_path).length > 5);
  await succeeds("rm", "-f", containerId);
});

test("a full disk holds a container up until there is room, and neither tears nor loses a line", async (t) => {
  const folder = join(node().folder, "full");
  await mkdir(folder);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "none", folder]);
  t.teardown(() => execFileSync("umount", [folder]));
  const pod = await Pod.run(node(), { ...ROTATED, log_directory: folder });
  const container = await pod.start("counter", counter(5000));
  const { log_path } = await container.status();
  const numbers: number[] = [];
  await node().eventually("all is written", async () => {
    const numbersOf = (file: string): number[] => numbersIn(readFileSync(file, "utf8"));
    if (isWritten(log_path)) return numbers.push(...filesOf(log_path).flatMap(numbersOf));
    const [oldest = log_path] = filesOf(log_path);
    if (statfsSync(folder).bavail > 0 || oldest === log_path) return undefined;
    // Room is made by who has read it.
    numbers.push(...numbersOf(oldest));
    await rm(oldest);
    return undefined;
  });
  t.true(isWhole(numbers, 5000), gap(numbers));
  await pod.remove();
});
