// What V8 has compiled of berthd's sources, kept below `root` for the next start. It is code that runs as root, so it is read from a folder
// that is nobody's but ours.
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { constants, enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";

/** Its name below `root`. */
export const COMPILE_CACHE = "compile-cache";

const OTHERS = 0o077;

/**
 * What is imported from now on is read from there.
 *
 * @param program the file that is run: each build has another one
 * @returns keeps what was compiled by then, and nothing of other builds; @throws why it can't be kept
 */
export function useCompileCache(root: string, program: string): () => void {
  try {
    const folder = join(root, COMPILE_CACHE);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const path of [root, folder]) requireOurs(path);
    const build = createHash("sha256").update(process.version).update(readFileSync(program)).digest("hex").slice(0, 16);
    const { status, message } = enableCompileCache(join(folder, build));
    if (status !== constants.compileCacheStatus.ENABLED) throw new Error(message ?? `the environment says otherwise (${status})`);
    return () => {
      flushCompileCache();
      for (const name of readdirSync(folder)) if (name !== build) rmSync(join(folder, name), { recursive: true });
    };
  } catch (failure) {
    return () => {
      throw failure;
    };
  }
}

function requireOurs(path: string): void {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) throw new Error(`${path} is no folder`);
  if (stat.uid !== process.getuid?.() || (stat.mode & OTHERS) !== 0)
    throw new Error(`${path} is not ours alone: it is user ${stat.uid}'s, of mode ${(stat.mode & 0o7777).toString(8)}`);
}
