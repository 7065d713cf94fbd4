// The mount that a folder is on, as the kubelet looks for it.
import { readFile, realpath } from "node:fs/promises";

export interface Mount {
  readonly mountpoint: string;
  /** "/dev/sda1", or the word that a file system without one has */
  readonly device: string;
}

export async function mountOf(folder: string): Promise<Mount> {
  return findMount(await readFile("/proc/self/mountinfo", "utf8"), await realpath(folder));
}

/** @param mountinfo as proc(5) has it, where blanks in names are written as octal numbers */
export function findMount(mountinfo: string, folder: string): Mount {
  const mounts = mountinfo.split("\n").map((line) => {
    const [place = "", source = ""] = line.split(" - ");
    return { mountpoint: plain(place.split(" ")[4]), device: plain(source.split(" ")[1]) };
  });
  const above = mounts.filter(
    ({ mountpoint: place }) => place === folder || (place !== "" && folder.startsWith(place === "/" ? "/" : `${place}/`)),
  );
  return above.sort((a, b) => b.mountpoint.length - a.mountpoint.length)[0] ?? { mountpoint: "/", device: "" };
}

/** @param mountinfo as proc(5) has it */
export const mountpoints = (mountinfo: string): string[] => mountinfo.split("\n").map((line) => plain(line.split(" ")[4]));

const plain = (text = ""): string => text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
