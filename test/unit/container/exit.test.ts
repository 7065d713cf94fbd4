import test from "ava";
import { processExit, shimLost, startError } from "../../../src/container/exit.ts";

test("exits have the reasons that controllers look for", (t) => {
  t.is(processExit(0, false, 1n).reason, "Completed");
  t.is(processExit(3, false, 1n).reason, "Error");
  t.is(processExit(137, true, 1n).reason, "OOMKilled");
  t.like(startError("no such file", 1n), { exitCode: 128, reason: "StartError" });
  t.like(shimLost(1n), { exitCode: 137, reason: "ShimLost" });
});
