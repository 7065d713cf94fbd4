// Files that are hashed on the way, never whole in memory.
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { AgentError, wrap } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";

// Enough to spare the disk and us many small writes.
const PART_BYTES = 1024 * 1024;

/**
 * Writes a new file; that it outlives a crash is for `syncFile` to see to.
 *
 * @throws AgentError invalid-argument when more than `maxBytes` come, resource-exhausted when the disk is full; what the
 * source throws comes through as it is
 */
export async function writeHashed(
  path: string,
  maxBytes: number,
  source: AsyncIterable<Uint8Array>,
): Promise<{ bytes: number; digest: string }> {
  const hash = createHash("sha256");
  const file = await onDisk(path, () => open(path, "wx", 0o600));
  failpoint("made blob file");
  try {
    let [bytes, partBytes] = [0, 0];
    let part: Uint8Array[] = [];
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new AgentError("invalid-argument", `more than the ${maxBytes} bytes announced came`);
      hash.update(chunk);
      part.push(chunk);
      partBytes += chunk.length;
      if (partBytes < PART_BYTES) continue;
      await onDisk(path, () => writeAll(file, part));
      failpoint("wrote part of blob file");
      [part, partBytes] = [[], 0];
    }
    await onDisk(path, () => writeAll(file, part));
    return { bytes, digest: `sha256:${hash.digest("hex")}` };
  } finally {
    await file.close();
  }
}

/** @throws AgentError resource-exhausted when the disk is full */
export async function syncFile(path: string): Promise<void> {
  await onDisk(path, async () => {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

export async function digestOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of source) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** @throws AgentError resource-exhausted when the file is larger */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > maxBytes) throw new AgentError("resource-exhausted", `read ${path}: ${size} bytes are over the bound of ${maxBytes}`);
  return await readFile(path);
}

async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = bytes === 0 ? { bytesWritten: 0 } : await file.writev(chunks);
  if (bytesWritten === bytes) return;
  // Seldom is less written than was asked for.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) done += (await file.write(rest, done)).bytesWritten;
}

// So that a full disk is not taken for a registry that went away.
async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw wrap(cause, `write ${path}`);
  }
}
