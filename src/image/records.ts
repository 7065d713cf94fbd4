// What is kept on disk of images.
import type { HistoryEntry, ImageConfig } from "./image-config.ts";

export interface LayerRef {
  /** of the packed blob */
  readonly digest: string;
  /** of the tar */
  readonly diffId: string;
  /** of this layer and all below it */
  readonly chainId: string;
  /** of this layer alone; records that are older than the field have none */
  readonly unpackedBytes?: bigint;
}

export interface ImageRecord {
  /** "sha256:<hex>", the digest of the config */
  readonly id: string;
  /** "registry/path:tag" */
  readonly references: readonly string[];
  /** "registry/path@sha256:…" */
  readonly repoDigests: readonly string[];
  readonly manifestDigest: string;
  /** packed layers and config */
  readonly sizeBytes: bigint;
  readonly config: ImageConfig;
  readonly layers: readonly LayerRef[];
  /** from the lowest layer; records that are older than the field have none */
  readonly history?: readonly HistoryEntry[];
  readonly createdAtNanos: bigint;
  readonly pinned: boolean;
  readonly architecture: string;
  readonly os: string;
  /** It has no name any more, and stays only for containers that still use it. */
  readonly removed: boolean;
}

/** A layer unpacked: `<root>/snapshots/<number>`. */
export interface SnapshotRecord {
  readonly id: string; // the chain id
  readonly number: number;
  /** preparing: recorded before the folder is made; removing: before it is taken away. After a crash both are cleared away. */
  readonly state: "preparing" | "committed" | "removing";
  readonly sizeBytes: bigint;
  readonly inodes: bigint;
}

/** A blob in the content store. */
export interface BlobRecord {
  readonly id: string; // its digest
  readonly sizeBytes: bigint;
}
