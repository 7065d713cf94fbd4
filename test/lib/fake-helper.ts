// The helper's part in images, without its confinement: layers are hashed, and each becomes a folder with one file. Plain
// archives are unpacked for real. Calls of other parts fail the test that makes them.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { AgentError } from "../../src/base/errors.ts";
import { Compression, type UnpackLayer, type UnpackLayerResult } from "../../src/generated/berth/native/helper.ts";
import type { Helper } from "../../src/native-client/helper.ts";

const refuse = (call: string) => (): Promise<never> => Promise.reject(new Error(`the fake helper has no ${call}`));

export class FakeHelper implements Helper {
  /** folders that were unpacked to, in order */
  readonly unpacked: string[] = [];
  /** Runs before a layer is unpacked. */
  beforeUnpack: (request: UnpackLayer) => Promise<void> = async () => {};
  /** Runs before a tree is removed. */
  beforeRemove: (path: string) => Promise<void> = async () => {};

  hello = refuse("hello");
  ensureNetwork: Helper["ensureNetwork"] = refuse("ensureNetwork");
  checkNetwork: Helper["checkNetwork"] = refuse("checkNetwork");
  removeNetwork: Helper["removeNetwork"] = refuse("removeNetwork");
  startSandbox = refuse("startSandbox");
  detachEndpoint: Helper["detachEndpoint"] = refuse("detachEndpoint");
  updateCgroup = refuse("updateCgroup");
  killCgroup = refuse("killCgroup");
  removeCgroup = refuse("removeCgroup");
  getUsage = refuse("getUsage");
  killProcess = refuse("killProcess");
  checkPath = refuse("checkPath");
  listObjects: Helper["listObjects"] = refuse("listObjects");
  releaseMount = refuse("releaseMount");
  expectMoves = () => {};
  shutdown = refuse("shutdown");
  openCopy = refuse("openCopy");
  packFolder = refuse("packFolder");
  callsInFlight = 0;

  async unpackLayer(request: UnpackLayer): Promise<UnpackLayerResult> {
    await this.beforeUnpack(request);
    const packed = await readFile(request.blobPath);
    const tar = request.compression === Compression.COMPRESSION_GZIP ? gunzipSync(packed) : packed;
    this.unpacked.push(request.targetDir);
    await mkdir(request.targetDir, { recursive: true });
    if (request.plainArchive) await unpackPlain(tar, request.targetDir);
    else await writeFile(join(request.targetDir, "layer"), tar);
    return { diffId: `sha256:${createHash("sha256").update(tar).digest("hex")}`, sizeBytes: BigInt(tar.length), inodes: 2n };
  }

  async removeTree(path: string): Promise<void> {
    await this.beforeRemove(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Regular files and symlinks of a ustar archive. */
async function unpackPlain(tar: Buffer, folder: string): Promise<void> {
  const text = (start: number, length: number): string => tar.toString("utf8", start, start + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const path = join(folder, text(at, 100));
    if (!path.startsWith(`${folder}/`)) throw new AgentError("invalid-argument", "unpack: an entry leads out of the archive");
    await mkdir(dirname(path), { recursive: true });
    const type = text(at + 156, 1);
    if (type === "2") await symlink(text(at + 157, 100), path);
    else if (type === "0") await writeFile(path, tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
