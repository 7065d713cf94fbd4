// Layers and blobs.
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Records } from "./records.ts";

export function compareImages({ snapshots, blobs }: Records, found: Found): Difference[] {
  const of = { sandboxId: "", containerId: "" };
  const numbers = new Set(snapshots.map(({ number }) => String(number)));
  const folders = new Set(found.layerFolders);
  const digests = new Map(blobs.map(({ id, sizeBytes }) => [id, sizeBytes]));
  const files = new Map(found.blobs.map(({ name, sizeBytes }) => [`sha256:${name}`, sizeBytes]));
  return [
    ...found.layerFolders
      .filter((name) => !numbers.has(name))
      .map((name): Difference => {
        return {
          class: "layer",
          object: `snapshots/${name}`,
          ...of,
          problem: "it has no record",
          mend: { step: "remove-layer-folder", name },
        };
      }),
    ...snapshots
      .filter(({ state, number }) => state === "committed" && !folders.has(String(number)))
      .map(({ id, number }): Difference => {
        const problem = `its folder snapshots/${number} is not there`;
        return { class: "layer", object: id, ...of, problem, mend: { step: "forget-layer", chainId: id } };
      }),
    ...[...files.keys()]
      .filter((digest) => !digests.has(digest))
      .map((digest): Difference => {
        return { class: "blob", object: digest, ...of, problem: "it has no record", mend: { step: "remove-blob-file", digest } };
      }),
    ...[...digests]
      .filter(([digest, sizeBytes]) => files.get(digest) !== sizeBytes)
      .map(([digest, sizeBytes]): Difference => {
        const size = files.get(digest);
        const problem = size === undefined ? "its file is not there" : `its file has ${size} bytes, and not ${sizeBytes}`;
        return { class: "blob", object: digest, ...of, problem, mend: { step: "forget-blob", digest } };
      }),
  ];
}
