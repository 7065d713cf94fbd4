// A folder of programs of its own, whose files are put there as a package manager does it: each beside the one it replaces, then renamed.
import { copyFile, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";

export async function installPrograms(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    await copyFile(join(from, name), join(to, `${name}.new`));
    await rename(join(to, `${name}.new`), join(to, name));
  }
}
