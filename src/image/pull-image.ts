// Pull: the hosts of the mirror table in order, a manifest of the right digest, its blobs, its layers.
import { createHash } from "node:crypto";
import { AgentError, kindOf, messageOf, wrap } from "../base/errors.ts";
import { type BuiltImage, buildImage } from "./build-image.ts";
import type { ContentStore } from "./content/content-store.ts";
import { type Reference, repository } from "./reference.ts";
import type { RegistryAuth } from "./registry/auth.ts";
import { registryHosts } from "./registry/hosts.ts";
import { choosePlatform, type Descriptor, type Manifest, parseDocument } from "./registry/manifest.ts";
import { RegistryClient, RegistryUnavailable, transportError } from "./registry/registry-client.ts";
import type { SnapshotStore } from "./snapshot/snapshot-store.ts";

export interface PullOptions {
  readonly registryConfigDir: string;
  readonly content: ContentStore;
  readonly snapshots: SnapshotStore;
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
}

export interface Pulled {
  readonly image: BuiltImage;
  /** of what the reference names: of the index where there is one */
  readonly digest: string;
}

/** @throws AgentError not-found, invalid-argument, failed-precondition (not signed in), RegistryUnavailable when no host answers */
export async function pullImage(reference: Reference, options: PullOptions): Promise<Pulled> {
  const hosts = await registryHosts(options.registryConfigDir, reference.registry);
  const failures: AgentError[] = [];
  for (const host of hosts) {
    const client = new RegistryClient(host, reference.path, options.auth);
    try {
      return await pullFrom(client, reference, options);
    } catch (failure) {
      const error = wrap(failure, `pull ${repository(reference)}`);
      // Another host may have what this one lacks; what is wrong with the image itself is wrong everywhere.
      if (options.signal.aborted || !["unavailable", "not-found", "failed-precondition", "resource-exhausted"].includes(kindOf(failure))) throw error;
      failures.push(error);
    } finally {
      await client.close();
    }
  }
  throw summary(failures);
}

function summary(failures: readonly AgentError[]): AgentError {
  const last = failures.at(-1);
  if (failures.length === 1 && last !== undefined) return last;
  const message = failures.map(messageOf).join("; ");
  const options = { cause: new AggregateError(failures) };
  if (failures.every((failure) => isRegistryUnavailable(failure))) return new RegistryUnavailable(message, options);
  // The registry itself comes last in the table, and its word counts most.
  return new AgentError(kindOf(last), message, options);
}

export function isRegistryUnavailable(failure: unknown): boolean {
  for (let cause = failure; cause instanceof Error; cause = cause.cause) if (cause instanceof RegistryUnavailable) return true;
  return false;
}

async function pullFrom(client: RegistryClient, reference: Reference, { content, snapshots, signal }: PullOptions): Promise<Pulled> {
  const named = await fetchDocument(client, reference.digest || reference.tag, reference.digest, signal);
  let { manifest, digest } = { manifest: undefined as Manifest | undefined, digest: named.digest };
  if (named.document.kind === "manifest") {
    manifest = named.document.manifest;
    await keep(content, named);
  } else {
    const chosen = choosePlatform(named.document.manifests);
    const inner = await fetchDocument(client, chosen.digest, chosen.digest, signal);
    if (inner.document.kind !== "manifest") throw new AgentError("invalid-argument", `read index ${named.digest}: its image ${chosen.digest} is an index again`);
    await keep(content, named);
    await keep(content, inner);
    manifest = inner.document.manifest;
    digest = inner.digest;
  }
  const fetch = (descriptor: Descriptor): Promise<void> => fetchBlob(client, content, descriptor, signal);
  return { image: await buildImage(manifest, digest, content, snapshots, fetch), digest: named.digest };
}

/** @param expected "" takes what comes; its digest is of the bytes in any case */
async function fetchDocument(client: RegistryClient, name: string, expected: string, signal: AbortSignal) {
  const { bytes, mediaType } = await client.manifest(name, signal);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (expected !== "" && digest !== expected) throw new AgentError("invalid-argument", `get manifest ${expected}: the digest of what came is ${digest}`);
  return { document: parseDocument(bytes, mediaType), digest, bytes };
}

async function keep(content: ContentStore, { digest, bytes }: { digest: string; bytes: Buffer }): Promise<void> {
  if (!(await content.has(digest))) await content.writeBytes(digest, bytes);
}

async function fetchBlob(client: RegistryClient, content: ContentStore, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
  if (await content.has(descriptor.digest)) return;
  const doing = `fetch blob ${descriptor.digest}`;
  const body = await client.blob(descriptor.digest, signal);
  try {
    await content.write(descriptor.digest, descriptor.sizeBytes, body);
  } catch (failure) {
    body.destroy();
    // What our own checks and records say stands; the rest happened on the way.
    if (failure instanceof AgentError) throw wrap(failure, doing);
    const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
    if (code === "ENOSPC" || code === "EDQUOT") throw new AgentError("resource-exhausted", `${doing}: ${messageOf(failure)}`, { cause: failure });
    throw transportError(failure, doing, signal);
  }
}
