// Images that come and go: each pulled, looked at, removed, looked at again.
import { makeImage } from "../lib/oci-image.ts";
import type { TestNode } from "../lib/node.ts";
import { Violation } from "./journal.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const LAYER_BYTES = 200_000;

interface ImageStatus {
  readonly image: { readonly id: string } | null;
}

/** Two layers each, one of which all have in common. */
export async function pushImages(node: TestNode, count: number): Promise<string[]> {
  const common = { "common.txt": "in all of them\n" };
  const names = Array.from({ length: count }, (_, index) => `test/extra-${index}`);
  for (const [index, name] of names.entries()) {
    await node.registry.push(name, "1", makeImage({ layers: [common, { "own.txt": String(index).repeat(LAYER_BYTES) }] }));
  }
  return names.map((name) => `${node.registry.address}/${name}:1`);
}

export async function liveImage(world: World, random: Random, name: string): Promise<void> {
  const subject = name.slice(name.lastIndexOf("/") + 1);
  const image = { image: name };
  const status = async (): Promise<boolean> => (await world.call<ImageStatus>(subject, "ImageStatus", { image })).image !== null;
  await world.call(subject, "PullImage", { image }, { random });
  if (!(await status())) throw new Violation(`${subject}: was pulled, and is not there`);
  if (random.chance(30)) await world.call(subject, "PullImage", { image }, { random });
  await world.call(subject, "RemoveImage", { image }, { random });
  if (await status()) throw new Violation(`${subject}: was removed, and is still there`);
}
