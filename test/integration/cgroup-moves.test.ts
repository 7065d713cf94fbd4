// Ahead of an OCI runtime's move of a process the helper takes the kernel's wait, by moving itself to where it is.
import { readdirSync, readFileSync } from "node:fs";
import test from "ava";
import { temporaryFolder } from "../lib/image-service.ts";
import { startHelper } from "../lib/real-helper.ts";

const ANNOUNCED = 50;

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    // It has ended since the list was read.
    return "";
  }
};

test("a helper that is told of moves stays in its cgroups, and answers all others meanwhile", async (t) => {
  const root = await temporaryFolder(t);
  const helper = await startHelper(t, root);
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && commandOf(name).includes(`berth-helper\0--socket\0${root}`));
  const cgroups = (): string => readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const before = cgroups();
  for (let announced = 0; announced < ANNOUNCED; announced += 1) helper.expectMoves();
  const { protocolVersion } = await helper.hello();
  t.true(protocolVersion > 0);
  t.is(cgroups(), before);
});
