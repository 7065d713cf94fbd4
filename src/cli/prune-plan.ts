// What nobody needs any more: pods that are stopped, containers that have exited, images that no container uses. Pure.
import { shortId } from "../base/ids.ts";
import { ContainerState, type Image } from "../generated/cri/runtime/v1/api.ts";
import type { ContainerEntry, PodEntry } from "./inventory.ts";

export const PRUNE_KINDS = ["pods", "containers", "images"] as const;
export type PruneKind = (typeof PRUNE_KINDS)[number];

export interface PrunePlan {
  readonly pods: readonly PodEntry[];
  /** those of the pods that go are not among them */
  readonly containers: readonly ContainerEntry[];
  readonly images: readonly Image[];
}

interface Inventory {
  readonly pods: readonly PodEntry[];
  readonly containers: readonly ContainerEntry[];
  readonly images: readonly Image[];
}

/**
 * Images that only what goes before them uses go too. A pinned one never goes.
 *
 * @param all images with a name too; else only those that have none
 */
export function planPrune({ pods, containers, images }: Inventory, kinds: readonly PruneKind[], all: boolean): PrunePlan {
  const stopped = kinds.includes("pods") ? pods.filter(({ ready }) => !ready) : [];
  const gone = new Set(stopped.map(({ id }) => id));
  const left = containers.filter(({ podId }) => !gone.has(podId));
  const exited = kinds.includes("containers") ? left.filter(({ state }) => state === ContainerState.CONTAINER_EXITED) : [];
  const used = new Set(left.filter((each) => !exited.includes(each)).map(({ imageId }) => imageId));
  const mayGo = ({ id, pinned, repoTags, repoDigests }: Image): boolean =>
    !pinned && !used.has(id) && (all || (repoTags.length === 0 && repoDigests.length === 0));
  return { pods: stopped, containers: exited, images: kinds.includes("images") ? images.filter(mayGo) : [] };
}

/** A container as people name it. */
export const containerPath = ({ podId, name }: ContainerEntry, pods: readonly PodEntry[]): string =>
  `${pods.find(({ id }) => id === podId)?.name ?? shortId(podId)}/${name}`;
