import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { NATIVE_FAILPOINTS } from "../../crash/failpoints.ts";

const native = new URL("../../../native", import.meta.url).pathname;

test("the list of native failpoints is that of the sources, and each stands for one place", (t) => {
  const folders = ["helper", "shim", "netlink", "cgroup", "layer"].map((name) => join(native, name, "src"));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const found = files.flatMap((file) => [...readFileSync(file, "utf8").matchAll(/failpoint!\("([^"]+)"\)/g)].map(([, name]) => name ?? ""));
  t.deepEqual(found.sort(), [...NATIVE_FAILPOINTS].sort());
});
