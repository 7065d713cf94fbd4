// Pull: the manifest that a name or digest stands for, the one of this machine, then its blobs and layers.
import { AgentError, wrap } from "../base/errors.ts";
import { type BuildPlace, type BuiltImage, buildImage } from "./build-image.ts";
import type { Reference } from "./reference.ts";
import type { RegistryAuth } from "./registry/credentials.ts";
import type { Descriptor, Manifest } from "./registry/manifest.ts";
import { choosePlatform } from "./registry/platform.ts";
import { type Registry, withRegistry } from "./registry/registry.ts";
import type { FetchedDocument } from "./registry/registry-client.ts";

export interface Pulled {
  readonly image: BuiltImage;
  /** of what the reference names: of the index where there is one */
  readonly digest: string;
}

/** @throws AgentError not-found, invalid-argument, failed-precondition (not signed in), RegistryUnavailable when no host answers */
export async function pullImage(
  reference: Reference,
  configDir: string,
  auth: RegistryAuth | undefined,
  place: BuildPlace,
): Promise<Pulled> {
  return await withRegistry(configDir, reference, auth, async (registry) => {
    const { digest: wanted, tag } = reference;
    place.show("manifest");
    // Where the digest is known, any host will do that has the bytes.
    const named = await registry.ask(wanted === "" ? "resolve" : "pull", place.signal, (client) =>
      client.document(wanted || tag, wanted, place.signal),
    );
    await keep(place, named);
    const { manifest, digest } = await ofThisMachine(registry, named, place);
    const image = await buildImage(manifest, digest, place, (descriptor, signal, checked) =>
      fetchBlob(registry, descriptor, place, signal, checked),
    );
    return { image, digest: named.digest };
  });
}

async function ofThisMachine(
  registry: Registry,
  named: FetchedDocument,
  place: BuildPlace,
): Promise<{ manifest: Manifest; digest: string }> {
  if (named.document.kind === "manifest") return { manifest: named.document.manifest, digest: named.digest };
  const { digest, sizeBytes } = choosePlatform(named.document.manifests);
  const inner = await registry.ask("pull", place.signal, (client) => client.document(digest, digest, place.signal));
  if (inner.document.kind !== "manifest")
    throw new AgentError("invalid-argument", `read index ${named.digest}: its image ${digest} is an index again`);
  if (inner.bytes.length !== sizeBytes)
    throw new AgentError(
      "invalid-argument",
      `read index ${named.digest}: its image ${digest} has ${inner.bytes.length} bytes, and not ${sizeBytes}`,
    );
  await keep(place, inner);
  return { manifest: inner.document.manifest, digest };
}

async function keep({ content, lease }: BuildPlace, { digest, bytes }: FetchedDocument): Promise<void> {
  lease.hold(digest);
  await content.writeBytes(digest, bytes);
}

async function fetchBlob(
  registry: Registry,
  { digest, sizeBytes }: Descriptor,
  { content, progress }: BuildPlace,
  signal: AbortSignal,
  checked?: (path: string) => Promise<void>,
): Promise<void> {
  try {
    await registry.ask("pull", signal, (client) => {
      const open = async (): Promise<AsyncIterable<Uint8Array>> => {
        const blob = await client.blob(digest, signal);
        return progress?.counted(digest, blob) ?? blob;
      };
      return content.ensure(digest, sizeBytes, open, checked);
    });
  } catch (failure) {
    throw wrap(failure, `fetch blob ${digest}`);
  }
}
