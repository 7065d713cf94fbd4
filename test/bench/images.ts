// The images of the bench, made here, in a registry of the run's own.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { compiled } from "../lib/c-program.ts";
import { imageOf, makeImage, type TestImage } from "../lib/oci-image.ts";
import type { DockerRegistry } from "../lib/registry.ts";
import { makeTar, type TarEntry } from "../lib/tar.ts";
import type { Teardown } from "../lib/teardown.ts";

const BUSYBOX = "/bin/busybox";
const APPLETS = ["sh", "true", "yes", "head"];

const LARGE_LAYERS = 5;
const SMALL_FILES = 4000;
const FILES_A_FOLDER = 80;
const MIB = 1024 * 1024;
const LARGE_FILE_MIB = 24;

export interface Images {
  /** busybox, and the program that a pod of the bench runs */
  readonly workload: string;
  readonly pause: string;
}

/** Its program has this name, so that its memory can be told from the runtime's. */
export const WORKLOAD = "bench-hold";

export async function pushImages(t: Teardown, registry: DockerRegistry): Promise<Images> {
  const hold = await readFile(await compiled(t, "../bench/hold.c"));
  const workload: TarEntry[] = [
    ...["bin/", "etc/", "tmp/"].map((name) => ({ name, isFolder: true })),
    { name: "bin/busybox", content: await readFile(BUSYBOX), mode: 0o755 },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, link: "busybox" })),
    { name: `bin/${WORKLOAD}`, content: hold, mode: 0o755 },
    { name: "etc/passwd", content: "root:x:0:0:root:/:/bin/sh\n" },
    { name: "etc/group", content: "root:x:0:\n" },
  ];
  const config = { Env: ["PATH=/bin"] };
  await registry.push("bench/workload", "1", makeImage({ entries: [workload], config: { ...config, Cmd: [`/bin/${WORKLOAD}`] } }));
  const pause: TarEntry[] = [{ name: "pause", content: hold, mode: 0o755 }];
  await registry.push("bench/pause", "1", makeImage({ entries: [pause], config: { ...config, Entrypoint: ["/pause"], Cmd: [] } }));
  return { workload: `${registry.address}/bench/workload:1`, pause: `${registry.address}/bench/pause:1` };
}

/** @param source as skopeo names it; empty: one of 200 MB is made, of many small files and some large ones */
export async function pushLargeImage(registry: DockerRegistry, source: string): Promise<string> {
  const reference = `${registry.address}/bench/large:1`;
  if (source === "") await registry.push("bench/large", "1", largeImage());
  else await promisify(execFile)("skopeo", ["copy", "--quiet", "--dest-tls-verify=false", source, `docker://${reference}`]);
  return reference;
}

function largeImage(): TestImage {
  const words = wordsOf(0x9e3779b9);
  const layers = Array.from({ length: LARGE_LAYERS }, (_, layer) => {
    const small = Array.from({ length: SMALL_FILES }, (_, file) => ({
      name: `usr/lib/package${layer}/${Math.floor(file / FILES_A_FOLDER)}/${file}.txt`,
      content: words(512 + (file % 15) * 512),
    }));
    return makeTar([...small, { name: `opt/data${layer}.bin`, content: words(LARGE_FILE_MIB * MIB) }]);
  });
  return imageOf(layers, { config: { Cmd: ["/bin/sh"] } });
}

/** Text that can be compressed as programs can: words of a vocabulary, the same in every run. */
function wordsOf(seed: number): (bytes: number) => Buffer {
  let state = seed;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const letters = (count: number): string => Array.from({ length: count }, () => String.fromCharCode(97 + random(26))).join("");
  const vocabulary = Array.from({ length: 8192 }, () => Buffer.from(`${letters(3 + random(9))} `));
  return (bytes) => {
    const text = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; ) at += vocabulary[random(vocabulary.length)]?.copy(text, at) ?? 0;
    return text;
  };
}
