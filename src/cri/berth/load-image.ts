import { randomBytes } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import type { LoadImageRequest, LoadImageResponse } from "../../generated/berth/v1/berth.ts";
import type { StreamHandler } from "../edge.ts";
import type { Engine } from "../engine.ts";

// An archive is on disk twice while it is taken apart; a node's disk is not a client's to fill.
const MAX_ARCHIVE_BYTES = 64 * 1024 ** 3;

/** Keeps the archive in a file until it is whole, then takes it apart; the file goes in any case. */
export const loadImage: StreamHandler<LoadImageRequest, LoadImageResponse> = async (engine, requests, { signal }) => {
  const problem = await engine.diskProblem();
  if (problem !== undefined) throw new AgentError("resource-exhausted", `load image: ${problem}`);
  await mkdir(engine.uploadDir, { recursive: true, mode: 0o700 });
  const path = join(engine.uploadDir, randomBytes(8).toString("hex"));
  return await engine.inHand.during(path, () => loadBy(path, engine, requests, signal));
};

async function loadBy(
  path: string,
  engine: Engine,
  requests: AsyncIterable<LoadImageRequest>,
  signal: AbortSignal,
): Promise<LoadImageResponse> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      let bytes = 0;
      for await (const { data } of requests) {
        bytes += data.length;
        if (bytes > MAX_ARCHIVE_BYTES)
          throw new AgentError("resource-exhausted", `load image: the archive is over ${MAX_ARCHIVE_BYTES} bytes`);
        await file.writeFile(data);
      }
      if (bytes === 0) throw new AgentError("invalid-argument", "load image: the archive is empty");
    } finally {
      await file.close();
    }
    failpoint("wrote archive file");
    const images = await engine.images.loadArchive(path, signal);
    return { images: images.map(({ id, references }) => ({ id, references: [...references] })) };
  } finally {
    await rm(path, { force: true });
    failpoint("removed archive file");
  }
}
