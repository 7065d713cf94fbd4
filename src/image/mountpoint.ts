// The mount that a folder is on, as the kubelet looks for it.
import { readFile, realpath } from "node:fs/promises";
import { type Mount, parseMountinfo } from "../base/mountinfo.ts";

export type { Mount } from "../base/mountinfo.ts";

// Of a root that the kernel does not show us, as in a chroot.
const UNKNOWN: Mount = { mountpoint: "/", type: "", device: "", options: [], isShared: false };

export async function mountOf(folder: string): Promise<Mount> {
  return findMount(parseMountinfo(await readFile("/proc/self/mountinfo", "utf8")), await realpath(folder));
}

export function findMount(mounts: readonly Mount[], folder: string): Mount {
  const above = mounts.filter(
    ({ mountpoint: place }) => place === folder || (place !== "" && folder.startsWith(place === "/" ? "/" : `${place}/`)),
  );
  return above.toSorted((a, b) => b.mountpoint.length - a.mountpoint.length)[0] ?? UNKNOWN;
}
