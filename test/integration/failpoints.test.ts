// Builds that are not for the crash suite have no failpoint, and no variable or file that makes them end.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { NATIVE_FAILPOINTS } from "../crash/failpoints.ts";
import { programs } from "../lib/node.ts";

test("programs that were built have the name of no failpoint in them", (t) => {
  const files = readdirSync(programs);
  t.true(files.includes("berth-shim") && files.includes("berthd.mjs"));
  const names = [...NATIVE_FAILPOINTS, "BERTH_FAILPOINT"].map((name) => Buffer.from(name));
  for (const file of files) {
    const bytes = readFileSync(join(programs, file));
    t.deepEqual(names.filter((name) => bytes.includes(name)).map(String), [], file);
  }
});
