import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { barLines } from "../../../src/cli/pull-bars.ts";
import type { LayerProgress } from "../../../src/generated/berth/v1/berth.ts";
import { FakeNode } from "./fake-node.ts";

const MIB = 1024n * 1024n;
const layer = (digit: string, phase: string, fetchedMib = 0n, totalMib = 4n): LayerProgress => ({
  digest: `sha256:${digit.repeat(64)}`,
  phase,
  fetchedBytes: fetchedMib * MIB,
  totalBytes: totalMib * MIB,
});

const PROGRESS = [
  [layer("1", "waiting"), layer("2", "waiting")],
  [layer("1", "fetching", 2n), layer("2", "done")],
  [layer("1", "done", 4n)],
];

test("a layer that has come has a line, where no terminal shows bars", async (t) => {
  const node = await FakeNode.start(t);
  node.pullProgress = PROGRESS;
  t.deepEqual(await node.berth(["pull", "a.example/web:1"]), {
    code: 0,
    stdout: "a.example/web:1 sha256:12 0.0s\n",
    stderr: "2222222222222  was here\n1111111111111  4.0 MiB fetched\n",
  });
});

test("a quiet pull prints the id and nothing else", async (t) => {
  const node = await FakeNode.start(t);
  node.pullProgress = PROGRESS;
  node.isTerminal = true;
  t.deepEqual(await node.berth(["pull", "-q", "a.example/web:1"]), { code: 0, stdout: "sha256:12\n", stderr: "" });
});

test("a terminal has bars, which are gone when the pull is over", async (t) => {
  const node = await FakeNode.start(t);
  node.pullProgress = PROGRESS;
  node.isTerminal = true;
  const { stdout, stderr } = await node.berth(["pull", "a.example/web:1"]);
  t.is(stdout, "a.example/web:1 sha256:12 0.0s\n");
  t.true(stderr.includes("1111111111111  fetching   [##########          ]  2.0 MiB of 4.0 MiB\n"));
  // What a terminal shows at the end: each line is written over the one before, at the cursor.
  const screen: string[] = [];
  let line = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's own
  for (const [, rise, text] of stderr.matchAll(/\u001b\[(\d+)A|\u001b\[2K([^\n]*)\n/g)) {
    if (rise !== undefined) line -= Number(rise);
    else screen[line++] = text ?? "";
  }
  t.deepEqual([line, screen.filter((each) => each !== "")], [0, []], "the cursor is where it was, and nothing is left");
});

test("bars fit the terminal, and those that move go before those that wait", (t) => {
  const layers = [layer("1", "waiting"), layer("2", "done", 4n), layer("3", "unpacking", 4n), layer("4", "waiting")];
  t.deepEqual(barLines(layers, 80, 24), [
    "3333333333333  unpacking  [####################]  4.0 MiB of 4.0 MiB",
    "1111111111111  waiting    [                    ]  0 B of 4.0 MiB",
    "4444444444444  waiting    [                    ]  0 B of 4.0 MiB",
    "1 of 4 layers, 8.0 MiB fetched",
  ]);
  t.deepEqual(barLines(layers, 20, 3), ["3333333333333  unpa", "1 of 4 layers, 8.0 "]);
  t.deepEqual(barLines([], 80, 24), []);
  t.deepEqual(barLines([layer("1", "fetching", 0n, 0n)], 60, 2), ["0 of 1 layers, 0 B fetched"]);
});

test("a pull that fails is told after what came of it", async (t) => {
  const node = await FakeNode.start(t);
  node.pullProgress = PROGRESS;
  node.failures.set("PullImage", { code: status.UNAVAILABLE, details: "pull a.example/web: it is closed" });
  const { code, stdout, stderr } = await node.berth(["pull", "a.example/web:1"]);
  t.deepEqual([code, stdout], [1, ""]);
  t.regex(stderr, /fetched\nberth: pull a\.example\/web: it is closed\n$/);
});

test("a pull uses what the user has signed in with, and for another registry nothing", async (t) => {
  const node = await FakeNode.start(t);
  await mkdir(join(node.folder, ".docker"));
  const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
  await writeFile(
    join(node.folder, ".docker", "config.json"),
    JSON.stringify({
      auths: {
        "a.example": auth("ci:se:cret"),
        "https://b.example:5000/v1/": auth("bob:b"),
        "https://index.docker.io/v1/": { identitytoken: "token" },
        "c.example": {},
      },
    }),
  );
  for (const image of ["a.example/web:1", "b.example:5000/web@sha256:1", "busybox", "c.example/web", "example/web"]) {
    await node.berth(["pull", "-q", image]);
  }
  await node.berth(["pull", "-q", "--creds", "other:x", "a.example/web:1"]);
  await node.berth(["run", "-d", "--log-root", join(node.folder, "logs"), "a.example/job:1"]);
  t.deepEqual(
    node.calls.filter((call) => call.startsWith("PullImage") && !call.endsWith("cancelled")),
    [
      "PullImage a.example/web:1 ci|se:cret|",
      "PullImage b.example:5000/web@sha256:1 bob|b|",
      "PullImage busybox ||token",
      "PullImage c.example/web",
      "PullImage example/web ||token",
      "PullImage a.example/web:1 other|x|",
      "PullImage a.example/job:1 ci|se:cret|",
    ],
  );
});
