// Removes images that are not used when the file system they are on fills. On a node that a kubelet drives it is off: the kubelet
// does the same itself, through the CRI.
import { statfs } from "node:fs/promises";
import { messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ImageService } from "./image-service.ts";
import { bytesOverThreshold, type DiskSpace, planImageGc } from "./plan-image-gc.ts";

export interface ImageGcPolicy {
  /** 100: off */
  readonly highPercent: number;
  readonly lowPercent: number;
  readonly minAgeMs: number;
}

export interface ImageGcOptions {
  readonly images: ImageService;
  readonly policy: ImageGcPolicy;
  readonly space: () => Promise<DiskSpace>;
  readonly nowMs: () => number;
  readonly log: Log;
}

// As the kubelet's; containers fill the disk too, between pulls.
const PERIOD_MS = 5 * 60 * 1000;

export class ImageGc {
  readonly #options: ImageGcOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ImageGcOptions) {
    this.#options = options;
  }

  /** Looks after each pull and load, and every five minutes. */
  start(): void {
    if (this.#options.policy.highPercent >= 100) return;
    this.#timer = setInterval(() => void this.check(), PERIOD_MS).unref();
    this.#options.images.onBrought(() => void this.check());
  }

  /** Ends when what is being removed is. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Failures are in the log. Who asks while it is under way gets the same answer. */
  check(): Promise<void> {
    this.#running ??= this.#collect()
      .catch((failure: unknown) => this.#options.log.warn({ err: messageOf(failure) }, "images could not be collected"))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #collect(): Promise<void> {
    const { images, policy, space, nowMs, log } = this.#options;
    const wantedBytes = bytesOverThreshold(await space(), policy.highPercent, policy.lowPercent);
    if (wantedBytes === 0n) return;
    let freedBytes = 0n;
    for (const step of planImageGc(images.usage(), wantedBytes, policy.minAgeMs, nowMs())) {
      const removed = await images.removeUnused(step.id).catch((failure: unknown) => {
        log.warn({ image: step.id, err: messageOf(failure) }, "an image could not be removed");
        return undefined;
      });
      if (removed === undefined) continue;
      freedBytes += step.freedBytes;
      const names = [...removed.references, ...removed.repoDigests];
      log.info({ image: step.id, names, freedBytes: String(step.freedBytes) }, "an unused image was removed, because the disk fills");
    }
    if (freedBytes < wantedBytes)
      log.warn({ wantedBytes: String(wantedBytes), freedBytes: String(freedBytes) }, "the disk is full of what is no unused image");
  }
}

/** Of the file system that a folder is on. */
export async function spaceOf(folder: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(folder, { bigint: true });
  return { capacityBytes: bsize * blocks, availableBytes: bsize * bavail };
}
