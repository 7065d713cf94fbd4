import test from "ava";
import { canJoinUserNamespaces, hasRecursiveReadOnly, namespacesOf } from "../../../src/cmd/oci-runtimes.ts";

const can = (path: string, namespaces?: readonly string[]): boolean =>
  canJoinUserNamespaces({ path, args: [] }, { version: "", namespaces });

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

test("mounts are read-only to the last one from Linux 5.12 on", (t) => {
  for (const release of ["5.12.0", "5.15.0-91-generic", "6.1.0-25-amd64", "10.0"]) t.true(hasRecursiveReadOnly(release), release);
  for (const release of ["5.11.22", "5.4.0", "4.19.0-1", ""]) t.false(hasRecursiveReadOnly(release), release);
});
