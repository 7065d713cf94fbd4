import test from "ava";
import { findMount, mountOf, mountpoints } from "../../../src/image/mountpoint.ts";

const line = (place: string, index: number): string => `36 35 98:0 / ${place} rw,noatime master:1 - ext4 /dev/sda${index} rw`;
const table = ["/", "/var", "/var/lib", "/var/library", "/a\\040b"].map(line).join("\n");

test("the longest mount above a folder is the one it is on", (t) => {
  t.deepEqual(findMount(table, "/var/lib/berth"), { mountpoint: "/var/lib", device: "/dev/sda2" });
  t.is(findMount(table, "/var/lib").mountpoint, "/var/lib");
  t.is(findMount(table, "/var/libx").mountpoint, "/var");
  t.deepEqual(findMount(table, "/home"), { mountpoint: "/", device: "/dev/sda0" });
});

test("blanks in the name of a mount are read", (t) => {
  t.is(findMount(table, "/a b/c").mountpoint, "/a b");
  t.deepEqual(mountpoints(table), ["/", "/var", "/var/lib", "/var/library", "/a b"]);
});

test("the kernel's own table is understood", async (t) => {
  t.deepEqual(await mountOf("/proc/self"), { mountpoint: "/proc", device: "proc" });
});
