// Roots of images that were made to harm who starts a container in them: at each path that its setting up touches, each thing that
// does not belong there.
import { posix } from "node:path";
import type { Random } from "../crash/random.ts";
import type { TarEntry } from "./tar.ts";

/** What the container's setting up looks for at a path. */
type Belongs = "folder" | "file";

/** All that is made, mounted over, written, read or entered in a container's root while it is set up. */
const TOUCHED = {
  dev: "folder",
  "dev/null": "file",
  "dev/console": "file",
  "dev/ptmx": "file",
  "dev/fd": "file",
  "dev/pts": "folder",
  "dev/shm": "folder",
  "dev/mqueue": "folder",
  "dev/injected": "file",
  proc: "folder",
  "proc/self": "folder",
  "proc/sys": "folder",
  "proc/kcore": "file",
  sys: "folder",
  "sys/fs": "folder",
  "sys/firmware": "folder",
  etc: "folder",
  "etc/hosts": "file",
  "etc/hostname": "file",
  "etc/resolv.conf": "file",
  "etc/passwd": "file",
  "etc/group": "file",
  "etc/mtab": "file",
  work: "folder",
  masked: "folder",
  "masked-file": "file",
  readonly: "folder",
  mnt: "folder",
  "mnt/volume": "folder",
  "mnt/file": "file",
  declared: "folder",
  run: "folder",
} as const satisfies Readonly<Record<string, Belongs>>;

export type TouchedPath = keyof typeof TOUCHED;

const up = (path: string): string => "../".repeat(path.split("/").length + 8);

/** What may stand at a path instead, aimed at a folder of the host. A link needs a name shorter than 100 bytes. */
const SHAPES = {
  "an absolute link to what is there": (path, canary) => ({ link: `${canary}/${TOUCHED[path]}` }),
  "an absolute link to nothing": (_, canary) => ({ link: `${canary}/new` }),
  "an absolute link to a name in a folder": (_, canary) => ({ link: `${canary}/folder/new` }),
  "a link that leads up": (path, canary) => ({ link: `${up(path)}${canary.slice(1)}/${TOUCHED[path]}` }),
  "a link that leads up to nothing": (path, canary) => ({ link: `${up(path)}${canary.slice(1)}/new` }),
  "a link to the root": () => ({ link: "/" }),
  "a link to itself": (path) => ({ link: posix.basename(path) }),
  "a link through a descriptor": (_, canary) => ({ link: `/proc/self/fd/7${"/..".repeat(8)}${canary}/folder` }),
  "a link through the last descriptor": () => ({ link: "/proc/self/fd/9" }),
  "a link through the working directory": (_, canary) => ({ link: `/proc/self/cwd${"/..".repeat(8)}${canary}/folder` }),
  "a link through another's root": (path, canary) => ({ link: `/proc/1/root${canary}/${TOUCHED[path]}` }),
  "a link to a switch of the kernel": () => ({ link: "/proc/sys/kernel/core_pattern" }),
  "a file": () => ({ content: "the image's", mode: 0o777 }),
  "a folder": () => ({ isFolder: true, mode: 0o777 }),
  "a pipe": () => ({ isFifo: true, mode: 0o666 }),
  "a device": () => ({ device: [1, 5], mode: 0o666 }),
  nothing: () => undefined,
} satisfies Readonly<Record<string, (path: TouchedPath, canary: string) => Omit<TarEntry, "name"> | undefined>>;

export type Shape = keyof typeof SHAPES;
export const SHAPE_NAMES = Object.keys(SHAPES) as Shape[];
export const TOUCHED_PATHS = Object.keys(TOUCHED) as TouchedPath[];

/** What stands where. */
export type HostileRoot = Partial<Record<TouchedPath, Shape>>;

/** Some paths, none of which stands below another. */
export function randomRoot(random: Random): HostileRoot {
  const root: HostileRoot = {};
  for (let count = random.between(1, 4); count > 0; count--) {
    const path = random.pick(TOUCHED_PATHS);
    const isApart = Object.keys(root).every((other) => !path.startsWith(`${other}/`) && !other.startsWith(`${path}/`));
    if (isApart) root[path] = random.pick(SHAPE_NAMES);
  }
  return root;
}

/** A layer that makes the root so, above one that has all of the paths' folders. */
export function hostileLayer(root: HostileRoot, canary: string): TarEntry[] {
  const paths = (Object.keys(root) as TouchedPath[]).sort((a, b) => a.length - b.length);
  return paths.flatMap((path): TarEntry[] => {
    const shape = SHAPES[root[path] ?? "nothing"](path, canary);
    if (shape === undefined) return [{ name: posix.join(posix.dirname(path), `.wh.${posix.basename(path)}`) }];
    const name = "isFolder" in shape ? `${path}/` : path;
    return [{ name, ...shape }];
  });
}

/** The folders that the paths above stand in, so that each may be there alone. */
export const ORDINARY_ROOT: readonly TarEntry[] = ["dev/", "proc/", "sys/", "sys/fs/", "etc/", "mnt/", "work/", "declared/", "run/"].map(
  (name) => ({
    name,
    isFolder: true,
  }),
);
