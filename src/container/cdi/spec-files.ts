// Files of the Container Device Interface on the node. A file is code that runs as root: it is taken only from those who are root anyway.
// One that can't be read takes its own devices away and no others.
import { constants, type Stats } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, messageOf } from "../../base/errors.ts";
import type { CdiSpec } from "./cdi-spec.ts";

const MAX_FILES = 256;
const MAX_FILE_BYTES = 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;

/** A file that could be read. */
export interface SpecFile {
  readonly path: string;
  /** of its folder: a device of a later folder stands for one of an earlier */
  readonly priority: number;
  readonly spec: CdiSpec;
}

export interface SpecFiles {
  readonly files: readonly SpecFile[];
  /** why others could not, each with the file's path */
  readonly problems: readonly string[];
}

interface Known {
  /** of what the file was when it was read */
  readonly stamp: string;
  readonly outcome: CdiSpec | string;
}

export class CdiSpecFiles {
  readonly folders: readonly string[];
  #known: ReadonlyMap<string, Known> = new Map();

  constructor(folders: readonly string[]) {
    this.folders = folders;
  }

  /** All files as they are now; only those that have changed are parsed again. */
  async read(): Promise<SpecFiles> {
    const known = new Map<string, Known>();
    const problems: string[] = [];
    const files: SpecFile[] = [];
    for (const [priority, folder] of this.folders.entries()) {
      const { names, problem } = await specNames(folder);
      if (problem !== "") problems.push(problem);
      for (const path of names.map((name) => join(folder, name))) {
        const now = await this.#readFile(path);
        if (now === undefined) continue;
        known.set(path, now);
        if (typeof now.outcome === "string") problems.push(now.outcome);
        else files.push({ path, priority, spec: now.outcome });
      }
    }
    this.#known = known;
    return { files, problems };
  }

  /** undefined for a file that has gone since its folder was read. */
  async #readFile(path: string): Promise<Known | undefined> {
    let stamp = "";
    try {
      // Nobody need be at the other end of a pipe.
      await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      const status = await file.stat();
      stamp = stampOf(status);
      const known = this.#known.get(path);
      if (known?.stamp === stamp) return known;
      checkFile(status, path);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FILE_BYTES + 1), 0, MAX_FILE_BYTES + 1, 0);
      if (bytesRead > MAX_FILE_BYTES) throw refuse(path, `it is over ${MAX_FILE_BYTES} bytes`);
      // Most nodes have no such file, and do without a reader of YAML.
      const { readSpec } = await import("./read-spec.ts");
      return { stamp, outcome: readSpec(buffer.subarray(0, bytesRead), path) };
    } catch (failure) {
      if (failure instanceof Error && "code" in failure && failure.code === "ENOENT") return undefined;
      return { stamp, outcome: failure instanceof AgentError ? failure.message : refuse(path, messageOf(failure)).message };
    }
  }
}

const stampOf = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string => [dev, ino, size, mtimeMs, ctimeMs].join(" ");

const refuse = (path: string, why: string): AgentError => new AgentError("invalid-argument", `read CDI spec ${path}: ${why}`);

function checkFile(status: Stats, path: string): void {
  if (!status.isFile()) throw refuse(path, "it is no regular file");
  if (status.uid !== 0 && status.uid !== process.geteuid?.()) throw refuse(path, `it belongs to user ${status.uid}, who is not root`);
  if ((status.mode & WRITABLE_BY_OTHERS) !== 0) throw refuse(path, "its group or everybody may write to it");
  if (status.size > MAX_FILE_BYTES) throw refuse(path, `it is over ${MAX_FILE_BYTES} bytes`);
}

/** A folder that is not there has none. */
async function specNames(folder: string): Promise<{ names: string[]; problem: string }> {
  let all: string[];
  try {
    all = await readdir(folder);
  } catch (failure) {
    const isMissing = failure instanceof Error && "code" in failure && failure.code === "ENOENT";
    return { names: [], problem: isMissing ? "" : `read CDI folder ${folder}: ${messageOf(failure)}` };
  }
  const names = all.filter((name) => /^[^.].*\.(?:json|yaml)$/.test(name)).sort();
  const problem =
    names.length > MAX_FILES
      ? `read CDI folder ${folder}: it has over ${MAX_FILES} files; those after ${names[MAX_FILES - 1]} are not read`
      : "";
  return { names: names.slice(0, MAX_FILES), problem };
}
