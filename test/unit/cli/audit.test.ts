import test from "ava";
import { message } from "../../../src/cli/message.ts";
import { AuditDifference } from "../../../src/generated/berth/v1/berth.ts";
import { FakeNode } from "./fake-node.ts";

const stray = message(AuditDifference, {
  class: "link",
  object: "vetha",
  podSandboxId: "ab".repeat(32),
  problem: "no endpoint has it on record",
  mendable: true,
});
const lost = message(AuditDifference, { class: "blob", object: "sha256:1", problem: "it is not there", advice: "pull it again" });

test("a node that agrees with its records has nothing to print and ends with 0", async (t) => {
  const node = await FakeNode.start(t);
  t.deepEqual(await node.berth(["audit"]), { code: 0, stdout: "", stderr: "" });
  t.is((await node.berth(["audit", "-o", "json"])).stdout, "[]\n");
});

test("each difference is a line, and any of them ends with 1", async (t) => {
  const node = await FakeNode.start(t);
  node.differences.push(stray, lost);
  const { code, stdout } = await node.berth(["audit"]);
  t.is(code, 1);
  const lines = stdout.trim().split("\n");
  t.regex(lines[1] ?? "", /^link +ababababababa +vetha +no endpoint has it on record +--repair$/);
  t.regex(lines[2] ?? "", /^blob +- +sha256:1 +it is not there +pull it again$/);
});

test("with --repair the exit code tells whether something is left", async (t) => {
  const node = await FakeNode.start(t);
  node.differences.push(stray);
  const { code, stdout } = await node.berth(["audit", "--repair"]);
  t.is(code, 0);
  t.regex(stdout, /mended$/m);
  node.differences.push({ ...stray, object: "vethb", failure: "it is busy" });
  const left = await node.berth(["audit", "--repair"]);
  t.is(left.code, 1);
  t.regex(left.stdout, /failed: it is busy$/m);
});
