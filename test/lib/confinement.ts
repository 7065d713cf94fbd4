// What the kernel says of a container's process, and what of it a container must not have.
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

export interface Wanted {
  /** a folder of the node that the container has none of */
  readonly nodesFolder: string;
  /** a folder below it that is the container's volume */
  readonly volume: string;
  /** absolute paths in the container, as its request names them */
  readonly masked: readonly string[];
  readonly readonly: readonly string[];
}

interface Mount {
  /** "8:1" */
  readonly device: string;
  /** what of its file system */
  readonly part: string;
  readonly place: string;
  readonly isReadonly: boolean;
  readonly type: string;
}

/** @source proc_pid_mountinfo(5) */
function mountsOf(pid: number): Mount[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , device = "", part = "", place = "", options = ""] = left.split(" ");
    return { device, part, place, isReadonly: /^ro(,|$)/.test(options), type: right.split(" ")[0] ?? "" };
  });
}

/** All that is wrong, a sentence each. */
export function whatIsNotConfined(pid: number, wanted: Wanted): string[] {
  const mounts = mountsOf(pid);
  return [...wrongMounts(mounts, wanted), ...wrongProc(mounts, wanted), ...strayDescriptors(pid), ...strayFolder(pid, mounts)];
}

function wrongMounts(mounts: readonly Mount[], { nodesFolder, volume }: Wanted): string[] {
  const root = mounts.findLast(({ place }) => place === "/");
  const nodes = mountsOf(process.pid);
  const disk = nodes.findLast(({ place }) => place === "/" || nodesFolder.startsWith(`${place}/`))?.device;
  const of = (what: string, wrong: (mount: Mount) => boolean): string[] =>
    mounts.filter(wrong).map(({ type, part, place }) => `${what}: ${part} of ${type} at ${place}`);
  return [
    ...(root?.type === "overlay" ? [] : [`its root is of ${root?.type}`]),
    ...of("the node's disk", ({ device, part }) => device === disk && part !== volume && !part.startsWith(`${volume}/`)),
    ...of("the node's own", (mount) => mount.type === "proc" && nodes.some(({ device }) => device === mount.device)),
    ...of("a part of the kernel's", ({ type, part }) => type === "sysfs" && part !== "/"),
    ...of("writable", ({ type, isReadonly }) => type === "sysfs" && !isReadonly),
    // A path of proc that is to be read-only is bound to its own place.
    ...of(
      "a part of the kernel's",
      ({ type, part, place, isReadonly }) => type === "proc" && part !== "/" && !(isReadonly && place.endsWith(part)),
    ),
  ];
}

/** Where proc is, the paths in it are masked or read-only. */
function wrongProc(mounts: readonly Mount[], { masked, readonly }: Wanted): string[] {
  const [proc, ...more] = mounts.filter(({ type, part }) => type === "proc" && part === "/");
  if (proc === undefined || more.length > 0) return [`it has ${proc === undefined ? "no" : "several"} /proc`];
  const at = (path: string): Mount | undefined => mounts.findLast(({ place }) => place === proc.place + path);
  // Not every kernel has all of them.
  const inProc = (paths: readonly string[]): string[] =>
    paths.filter((path) => path.startsWith("/proc/") && existsSync(path)).map((path) => path.slice("/proc".length));
  return [
    ...inProc(masked).flatMap((path) => (at(path)?.part === "/null" && at(path)?.type !== "proc" ? [] : [`${path} of proc is not masked`])),
    ...inProc(readonly).flatMap((path) =>
      at(path)?.isReadonly === true && at(path)?.part === path ? [] : [`${path} of proc is writable`],
    ),
  ];
}

/** A program is started with its three streams and nothing else. */
export function strayDescriptors(pid: number): string[] {
  const stray = readdirSync(`/proc/${pid}/fd`).filter((number) => Number(number) > 2);
  return stray.map((number) => `it has descriptor ${number}, which is ${readlinkSync(`/proc/${pid}/fd/${number}`)}`);
}

/** The working directory is somewhere in the container's own mounts. */
export function strayFolder(pid: number, mounts: readonly Mount[] = mountsOf(pid)): string[] {
  const device = deviceText(statSync(`/proc/${pid}/cwd`).dev);
  return mounts.some((mount) => mount.device === device) ? [] : [`its working directory ${readlinkSync(`/proc/${pid}/cwd`)} is outside`];
}

/** @source glibc's gnu_dev_major and gnu_dev_minor, for numbers of 32 bits */
const deviceText = (dev: number): string => `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;

/** Until then it is the OCI runtime's, with what that has open. @returns its number */
export const hasBecome = (pid: number, program: string): true | undefined =>
  readlinkSync(`/proc/${pid}/exe`).endsWith(program) ? true : undefined;
