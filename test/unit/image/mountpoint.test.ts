import test from "ava";
import { findMountpoint, mountpointOf } from "../../../src/image/mountpoint.ts";

const line = (place: string): string => `36 35 98:0 / ${place} rw,noatime master:1 - ext4 /dev/root rw`;
const table = ["/", "/var", "/var/lib", "/var/library", "/a\\040b"].map(line).join("\n");

test("the longest mount above a folder is the one it is on", (t) => {
  t.is(findMountpoint(table, "/var/lib/berth"), "/var/lib");
  t.is(findMountpoint(table, "/var/lib"), "/var/lib");
  t.is(findMountpoint(table, "/var/libx"), "/var");
  t.is(findMountpoint(table, "/home"), "/");
});

test("blanks in the name of a mount are read", (t) => {
  t.is(findMountpoint(table, "/a b/c"), "/a b");
});

test("the kernel's own table is understood", async (t) => {
  t.is(await mountpointOf("/proc/self"), "/proc");
});
