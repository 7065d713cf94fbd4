// An image service in a folder of its own, for one test.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Teardown } from "./teardown.ts";
import { Activities } from "../../src/base/activity.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { ImageService } from "../../src/image/image-service.ts";
import type { Helper } from "../../src/native-client/helper.ts";
import { Store } from "../../src/store/store.ts";

export async function temporaryFolder(t: Teardown): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "berth-image-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

export class ImageNode {
  readonly root: string;
  readonly helper: Helper;
  #store: Store | undefined;
  #images: ImageService | undefined;

  private constructor(root: string, helper: Helper) {
    this.root = root;
    this.helper = helper;
  }

  static async start(t: Teardown, helper: Helper, root?: string): Promise<ImageNode> {
    const node = new ImageNode(root ?? (await temporaryFolder(t)), helper);
    await node.open();
    t.teardown(() => node.stop());
    return node;
  }

  get images(): ImageService {
    if (this.#images === undefined) throw new Error("the image service is not open");
    return this.#images;
  }

  get registryConfigDir(): string {
    return join(this.root, "certs.d");
  }

  async open(): Promise<void> {
    const { root, helper, registryConfigDir } = this;
    this.#store = await Store.open(root);
    const clock = systemClock();
    this.#images = await ImageService.open({
      root,
      store: this.#store,
      helper,
      registryConfigDir,
      log: silentLog,
      clock,
      activities: new Activities(clock),
    });
  }

  async stop(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    await store?.close();
  }

  /** As after a crash: nothing is told to end. */
  async restart(): Promise<void> {
    await this.stop();
    await this.open();
  }

  /** All files and folders that images have left below the root. */
  async remains(): Promise<string[]> {
    const folders = ["content/blobs/sha256", "content/ingest", "snapshots", "archives"];
    const found = await Promise.all(
      folders.map(async (folder) => (await readdir(join(this.root, folder)).catch(() => [])).map((name) => `${folder}/${name}`)),
    );
    return found.flat();
  }
}

export const never = new AbortController().signal;
