import test from "ava";
import { parseMountinfo } from "../../../src/base/mountinfo.ts";
import { findMount, mountOf } from "../../../src/image/mountpoint.ts";

const line = (place: string, index: number): string => `36 35 98:0 / ${place} rw,noatime master:1 - ext4 /dev/sda${index} rw`;
const mounts = parseMountinfo(["/", "/var", "/var/lib", "/var/library", "/a\\040b"].map(line).join("\n"));

test("the longest mount above a folder is the one it is on", (t) => {
  t.like(findMount(mounts, "/var/lib/berth"), { mountpoint: "/var/lib", device: "/dev/sda2" });
  t.is(findMount(mounts, "/var/lib").mountpoint, "/var/lib");
  t.is(findMount(mounts, "/var/libx").mountpoint, "/var");
  t.like(findMount(mounts, "/home"), { mountpoint: "/", device: "/dev/sda0" });
});

test("blanks in the name of a mount are read", (t) => {
  t.is(findMount(mounts, "/a b/c").mountpoint, "/a b");
});

test("the kernel's own table is understood", async (t) => {
  t.like(await mountOf("/proc/self"), { mountpoint: "/proc", device: "proc" });
});
