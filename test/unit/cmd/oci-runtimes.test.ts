import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import {
  canJoinUserNamespaces,
  checkpointsOf,
  findOwnRuntime,
  findRuntimes,
  hasMountSetattr,
  namespacesOf,
} from "../../../src/cmd/oci-runtimes.ts";

const can = (path: string, namespaces?: readonly string[]): boolean =>
  canJoinUserNamespaces({ path, args: [], waitsToMove: true }, { version: "", namespaces });

test("a runtime can what its features say, and without them only crun and runc are known", (t) => {
  t.true(can("/usr/bin/youki", ["mount", "user"]));
  t.false(can("/usr/bin/runc", ["mount"]));
  t.true(can("/usr/bin/crun"));
  t.false(can("/usr/bin/youki"));
});

test("features that are none say nothing", (t) => {
  t.deepEqual(namespacesOf('{"linux":{"namespaces":["user","pid"]}}'), ["user", "pid"]);
  for (const text of [
    "",
    "unknown command",
    "null",
    "{}",
    '{"linux":{}}',
    '{"linux":{"namespaces":"user"}}',
    '{"linux":{"namespaces":[1]}}',
  ])
    t.is(namespacesOf(text), undefined, text);
});

test("a runtime says whether it has CRIU in its features, or as crun in its version", (t) => {
  const features = (key: string, value: string): string => JSON.stringify({ annotations: { [key]: value } });
  t.true(checkpointsOf(features("org.opencontainers.runc.checkpoint.enabled", "true"), ""));
  t.false(checkpointsOf(features("run.oci.crun.checkpoint.enabled", "false"), "crun version 1.20\n+SECCOMP +CRIU"));
  t.true(checkpointsOf("unknown command features", "crun version 1.8.1\nspec: 1.0.0\n+CAP +CRIU +YAJL\n"));
  t.false(checkpointsOf("", "crun version 1.8.1\nspec: 1.0.0\n+CAP +SECCOMP\n"));
  for (const [text, version] of [
    ["", ""],
    ["null", "other 1.0"],
    ['{"annotations":{}}', ""],
  ] as const)
    t.is(checkpointsOf(text, version), undefined);
});

test("mounts are read-only to the last one from Linux 5.12 on", (t) => {
  for (const release of ["5.12.0", "5.15.0-91-generic", "6.1.0-25-amd64", "10.0"]) t.true(hasMountSetattr(release), release);
  for (const release of ["5.11.22", "5.4.0", "4.19.0-1", ""]) t.false(hasMountSetattr(release), release);
});

test("Berth's own runtime is beside the shim, and the default where the settings say so", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "berth-programs-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [shim, own] = [join(folder, "berth-shim"), join(folder, "berth-runtime")];
  t.is(findOwnRuntime(shim), undefined);
  writeFileSync(shim, "", { mode: 0o755 });
  t.is(findOwnRuntime(shim), undefined);
  writeFileSync(own, "", { mode: 0o755 });
  t.is(findOwnRuntime(shim), own);
  t.deepEqual(findRuntimes("direct", {}, own).get(""), { path: own, args: [], waitsToMove: false });
  const other = findRuntimes(shim, {}, own);
  t.deepEqual([other.get("")?.path, other.get("direct")?.path], [shim, own]);
  t.false(findRuntimes(shim, {}, undefined).has("direct"));
  t.throws(() => findRuntimes("direct", {}, undefined), { message: /^find OCI runtime "direct": it takes Linux 5\.12/ });
});
