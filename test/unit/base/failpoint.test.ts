import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { IMAGE_FAILPOINTS, NATIVE_FAILPOINTS } from "../../crash/failpoints.ts";

const native = new URL("../../../native", import.meta.url).pathname;

test("the list of native failpoints is that of the sources, and each stands for one place", (t) => {
  const folders = ["helper", "shim", "netlink", "cgroup", "layer"].map((name) => join(native, name, "src"));
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const found = files.flatMap((file) => [...readFileSync(file, "utf8").matchAll(/failpoint!\("([^"]+)"\)/g)].map(([, name]) => name ?? ""));
  t.deepEqual(found.sort(), [...NATIVE_FAILPOINTS].sort());
});

test("all that berthd passes beside its records and calls is about files of images, and is in their list", (t) => {
  const sources = new URL("../../../src", import.meta.url).pathname;
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.startsWith("image/") || name.startsWith("cri/"),
  );
  const found = files
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => [...readFileSync(join(sources, name), "utf8").matchAll(/failpoint\("([^"]+)"\)/g)].map(([, point]) => point ?? ""));
  t.deepEqual(found.sort(), IMAGE_FAILPOINTS.filter((name) => !/^(commit|committed|sent|answered) /.test(name)).sort());
});
