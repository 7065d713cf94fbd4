// The mount that a folder is on, as the kubelet looks for it.
import { readFile, realpath } from "node:fs/promises";

export async function mountpointOf(folder: string): Promise<string> {
  return findMountpoint(await readFile("/proc/self/mountinfo", "utf8"), await realpath(folder));
}

/** @param mountinfo as proc(5) has it, where blanks in names are written as octal numbers */
export function findMountpoint(mountinfo: string, folder: string): string {
  const places = mountinfo
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
  const above = places.filter((place) => place === folder || (place !== "" && folder.startsWith(place === "/" ? "/" : `${place}/`)));
  return above.sort((a, b) => b.length - a.length)[0] ?? "/";
}
