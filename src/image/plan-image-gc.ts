// Which images go when the disk fills. Pure.

export interface ImageUsage {
  readonly id: string;
  /** when it was pulled or loaded, or its last container went; milliseconds since the epoch */
  readonly lastUsedAtMs: number;
  /** a container uses it, or it is pinned */
  readonly keep: boolean;
  /** bytes on disk by digest or chain id; images share parts */
  readonly parts: ReadonlyMap<string, bigint>;
}

export interface GcStep {
  readonly id: string;
  /** what no image needs any more after this step */
  readonly freedBytes: bigint;
}

export interface DiskSpace {
  readonly capacityBytes: bigint;
  /** to us, without what the file system reserves */
  readonly availableBytes: bigint;
}

/**
 * @param highPercent 1 to 100; 100 asks for nothing
 * @returns bytes over the low threshold once the high one is reached, else 0n
 * @source kubelet image_gc_manager.go, GarbageCollect
 */
export function bytesOverThreshold({ capacityBytes, availableBytes }: DiskSpace, highPercent: number, lowPercent: number): bigint {
  if (highPercent >= 100 || capacityBytes <= 0n) return 0n;
  if (100n - (availableBytes * 100n) / capacityBytes < BigInt(highPercent)) return 0n;
  const over = (capacityBytes * BigInt(100 - lowPercent)) / 100n - availableBytes;
  return over > 0n ? over : 0n;
}

/**
 * Chooses the images to remove, least recently used first, until `bytesToFree` is reached.
 *
 * @param images all on the node: what those share that stay is not freed
 * @param bytesToFree 0n or less chooses nothing
 * @param nowMs as the times in `images`
 * @returns in the order of removal; may free less than asked, and the caller reports the shortfall
 * @source kubelet image_gc_manager.go, freeSpace: never one in use. Its minimum age is since the image came; here it is since the
 * last use too, so that an image that is pulled anew for a pod does not go before the pod's container has come.
 */
export function planImageGc(images: readonly ImageUsage[], bytesToFree: bigint, minAgeMs: number, nowMs: number): GcStep[] {
  const mayGo = images.filter(({ keep, lastUsedAtMs }) => !keep && nowMs - lastUsedAtMs >= minAgeMs);
  const chosen: GcStep[] = [];
  let freedBytes = 0n;
  const oldestFirst = mayGo.sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
  for (const step of freedByRemoving(oldestFirst, images)) {
    if (freedBytes >= bytesToFree) break;
    chosen.push(step);
    freedBytes += step.freedBytes;
  }
  return chosen;
}

/** What each removal frees after those before it. @param all images, those that go among them */
export function freedByRemoving(going: readonly ImageUsage[], all: readonly ImageUsage[]): GcStep[] {
  const needs = new Map<string, number>();
  for (const { parts } of all) for (const part of parts.keys()) needs.set(part, (needs.get(part) ?? 0) + 1);
  return going.map(({ id, parts }) => {
    let freedBytes = 0n;
    for (const [part, bytes] of parts) {
      const left = (needs.get(part) ?? 0) - 1;
      needs.set(part, left);
      if (left === 0) freedBytes += bytes;
    }
    return { id, freedBytes };
  });
}
