// A file system of its own that a test can fill to its last block, and see as a power cut would leave it.
import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Teardown } from "./teardown.ts";

const MEBIBYTE = 1024 * 1024;

export class SmallDisk {
  readonly path: string;

  readonly #image: string;

  private constructor(path: string, image = "") {
    this.path = path;
    this.#image = image;
  }

  /** ext4 on a loop device: blocks, a journal and inodes as on a real disk. */
  static ext4(t: Teardown, mebibytes: number): SmallDisk {
    return SmallDisk.#onLoop(t, (image) => {
      closeSync(openSync(image, "w"));
      truncateSync(image, mebibytes * MEBIBYTE);
      // Nothing is kept back for root, which the node is.
      execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
    });
  }

  static #onLoop(t: Teardown, make: (image: string) => void): SmallDisk {
    const [folder, path] = mountPoint();
    const image = join(folder, "image");
    make(image);
    execFileSync("mount", ["-o", "loop", image, path]);
    t.teardown(() => unmount(folder, path));
    return new SmallDisk(path, image);
  }

  static tmpfs(t: Teardown, mebibytes: number): SmallDisk {
    const [folder, path] = mountPoint();
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path]);
    t.teardown(() => unmount(folder, path));
    return new SmallDisk(path);
  }

  /** What is on an ext4 now: what the kernel has not yet written to it is in the file system's memory, and not in its image. */
  afterPowerCut(t: Teardown): SmallDisk {
    return SmallDisk.#onLoop(t, (image) => copyFileSync(this.#image, image));
  }

  /** To the last block. */
  fill(): void {
    const file = openSync(this.#filler, "a");
    for (const chunk of [MEBIBYTE, 4096]) while (wrote(file, chunk));
    closeSync(file);
  }

  isFull(): boolean {
    return statfsSync(this.path).bavail === 0;
  }

  /** Of a tmpfs. */
  resize(mebibytes: number): void {
    execFileSync("mount", ["-o", `remount,size=${mebibytes}m`, this.path]);
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.path, "filler");
  }
}

/** Synced each time: a write alone is a promise that the file system may keep with other blocks. */
function wrote(file: number, bytes: number): boolean {
  try {
    writeSync(file, Buffer.alloc(bytes, 1));
    fsyncSync(file);
    return true;
  } catch (failure) {
    if (failure instanceof Error && "code" in failure && failure.code === "ENOSPC") return false;
    throw failure;
  }
}

function mountPoint(): [folder: string, path: string] {
  const folder = mkdtempSync(join(tmpdir(), "berth-disk-"));
  const path = join(folder, "m");
  mkdirSync(path);
  return [folder, path];
}

function unmount(folder: string, path: string): void {
  execFileSync("umount", [path]);
  rmSync(folder, { recursive: true });
}
