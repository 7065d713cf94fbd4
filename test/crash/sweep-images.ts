// berthd is killed at every record and every effect of bringing and removing an image, each time that it comes by: what an image
// needs is never lost, what nobody needs is never left, and what was begun is done or undone.
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import { berthOf } from "../lib/berth.ts";
import type { TestNode } from "../lib/node.ts";
import { layoutOf, makeImage, sha256 } from "../lib/oci-image.ts";
import { Pod } from "../lib/pods.ts";
import { makeTar } from "../lib/tar.ts";
import { IMAGE_FAILPOINTS } from "./failpoints.ts";
import { difference, quietRemains, remains } from "./remains.ts";

// More than one piece of a file, packed too.
const LARGE_BYTES = 2_400_000;
const MOST_PASSES = 60;

interface Step {
  readonly name: string;
  /** @throws when it is refused, or berthd ends */
  readonly call: () => Promise<unknown>;
}

/**
 * @param node of its own
 * @param points "committed blob#3": the third time; each is to be passed. Without it all that there are, as often as they are passed
 * @param tell hears a line for each
 * @throws when some did not hold
 */
export async function sweepImages(node: TestNode, tell: (line: string) => void, points?: readonly string[]): Promise<string> {
  const life = await ImageLife.on(node);
  let [kills, failures] = [0, 0];
  const kill = async (point: string): Promise<boolean> => {
    try {
      const wasPassed = await life.dieAt(point);
      if (wasPassed) kills++;
      return wasPassed;
    } catch (failure) {
      failures++;
      tell(`  ✘ ${point}: ${messageOf(failure)}`);
      return true;
    }
  };
  if (points !== undefined) {
    for (const point of points) if (!(await kill(point))) throw new Error(`${point}: nothing has come by`);
  } else {
    for (const name of IMAGE_FAILPOINTS) {
      let passes = 0;
      while (passes < MOST_PASSES && (await kill(`${name}#${passes + 1}`))) passes++;
      tell(`  ${name}: passed ${passes} times`);
      if (passes === 0) throw new Error(`${name}: nothing has come by`);
    }
  }
  if (failures > 0) throw new Error(`at ${failures} of ${kills + failures} moments it did not hold`);
  return `berthd was killed at ${kills} moments of an image's life, and again while it cleared up: nothing was lost, nothing left`;
}

class ImageLife {
  readonly #node: TestNode;
  readonly #steps: readonly Step[];
  /** what there is before each step, and after the last one */
  #worlds: readonly (readonly string[])[] = [];

  private constructor(node: TestNode, steps: readonly Step[]) {
    this.#node = node;
    this.#steps = steps;
  }

  /** With an image that stays, and has a layer in common with those that come and go. */
  static async on(node: TestNode): Promise<ImageLife> {
    const { registry, cri } = node;
    const { succeeds } = berthOf(() => node);
    const common = { "common.txt": "in all of them\n" };
    const image = (own: string) => makeImage({ layers: [common, { [own]: randomBytes(LARGE_BYTES / 2).toString("hex") }] });
    const name = (path: string): string => `${registry.address}/test/${path}:1`;
    const broken = makeImage({
      layers: [common, { broken: "" }],
      diffIds: [sha256(makeTar([{ name: "common.txt", content: common["common.txt"] }])), sha256(Buffer.from("another"))],
    });
    await registry.push("test/kept", "1", image("kept"));
    await registry.push("test/pulled", "1", image("pulled"));
    await registry.push("test/broken", "1", broken);
    const archive = join(node.folder, "archive.tar");
    const annotations = { "org.opencontainers.image.ref.name": "test/loaded:1" };
    await writeFile(archive, makeTar(layoutOf([{ image: image("loaded"), annotations }])));
    await cri.call("PullImage", { image: { image: name("kept") } });
    // What is used is not pruned.
    const pod = await Pod.run(node);
    await pod.create("kept", ["/bin/true"], { image: { image: name("kept") } });
    await pod.create("busybox", ["true"]);
    const life = new ImageLife(node, [
      { name: "pull", call: () => cri.call("PullImage", { image: { image: name("pulled") } }) },
      { name: "give another name", call: () => succeeds("tag", name("pulled"), "test/again:1") },
      { name: "pull what is not as it says", call: () => isRefused(cri.call("PullImage", { image: { image: name("broken") } })) },
      { name: "load", call: () => succeeds("load", archive) },
      { name: "remove", call: () => cri.call("RemoveImage", { image: { image: name("pulled") } }) },
      // As image GC does, when a disk fills.
      { name: "prune", call: () => succeeds("prune", "images", "--all", "--force") },
    ]);
    await life.#learn();
    return life;
  }

  /** Restarts count as part of a life. @returns false when nothing came by */
  async dieAt(point: string): Promise<boolean> {
    const node = this.#node;
    await node.crash();
    const wasPassed = await node.bootWith(point);
    const done = await this.#liveUntilDeath();
    if (!wasPassed()) {
      await this.#settles([this.#worlds.at(-1) ?? []]);
      return false;
    }
    await this.#blobsAreWhole();
    // It may die of the same once more, over what it finds.
    const diesAgain = await node.bootWith(point.replace(/#\d+$/, ""));
    if (!diesAgain()) await node.crash();
    await this.#blobsAreWhole();
    await node.boot();
    await this.#settles(this.#worlds.slice(done, done + 2));
    for (const step of this.#steps.slice(done)) await step.call();
    await this.#settles([this.#worlds.at(-1) ?? []]);
    return true;
  }

  async #learn(): Promise<void> {
    const worlds = [await this.#world()];
    for (const step of this.#steps) {
      await step.call();
      worlds.push(await this.#world());
    }
    this.#worlds = worlds;
    const left = difference(worlds[0] ?? [], worlds.at(-1) ?? []);
    if (left.length > 0) throw new Error(`an image's life leaves traces:\n${left.join("\n")}`);
  }

  /** @returns how many steps were answered */
  async #liveUntilDeath(): Promise<number> {
    const node = this.#node;
    for (const [done, step] of this.#steps.entries()) {
      try {
        await step.call();
      } catch (failure) {
        await node.eventually(`berthd ends, for it could not ${step.name}: ${messageOf(failure)}`, async () => !node.isUp || undefined);
        return done;
      }
    }
    return this.#steps.length;
  }

  async #world(): Promise<string[]> {
    return comparable(await quietRemains(this.#node));
  }

  /** To one of these worlds, and the audit has nothing to say. */
  async #settles(worlds: readonly (readonly string[])[]): Promise<void> {
    const node = this.#node;
    let left = "";
    const look = async (): Promise<true | undefined> => {
      const { code, stdout, stderr } = await berthOf(() => node).berth("audit");
      const now = comparable(await remains(node));
      const differences = worlds.map((world) => difference(world, now).join("\n"));
      left = [...differences, stdout, stderr].join("\n---\n");
      return code === 0 && differences.includes("") ? true : undefined;
    };
    await node.eventually("the image is there or is not", look).catch((failure: unknown) => {
      throw new Error(`it is neither there nor gone:\n${left}`, { cause: failure });
    });
    await this.#blobsAreWhole();
  }

  /** A blob has its name only when all of it is there. */
  async #blobsAreWhole(): Promise<void> {
    const folder = join(this.#node.root, "content/blobs/sha256");
    for (const name of await readdir(folder)) {
      const digest = createHash("sha256")
        .update(await readFile(join(folder, name)))
        .digest("hex");
      if (digest !== name) throw new Error(`blob ${name} has the digest ${digest}`);
    }
  }
}

/** A layer that was unpacked again has another number, and two folders are made when they are wanted: what is in them counts. */
const comparable = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => !/^file \S+\/(archives|uploads)$/.test(line))
    .map((line) => line.replace(/(\/snapshots\/)\d+/, "$1N"))
    .sort();

async function isRefused(answer: Promise<unknown>): Promise<void> {
  const refusal = await answer.then(
    () => "it was not",
    (failure: unknown) => messageOf(failure),
  );
  if (!/ INVALID_ARGUMENT: .*the config says/.test(refusal)) throw new Error(`pull what must be refused: ${refusal}`);
}
