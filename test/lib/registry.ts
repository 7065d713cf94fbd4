// Debian's docker-registry on a port of its own, for one test, and a client that fills it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Teardown } from "./teardown.ts";
import { request } from "undici";
import { temporaryFolder } from "./image-service.ts";
import { PATIENCE } from "./patience.ts";
import { type Blob, OCI_MANIFEST, type TestImage } from "./oci-image.ts";

const START_TIMEOUT_MS = 10_000 * PATIENCE;

export class DockerRegistry {
  /** "127.0.0.1:40123" */
  readonly address: string;
  /** where it keeps its files */
  readonly folder: string;

  private constructor(address: string, folder: string) {
    this.address = address;
    this.folder = folder;
  }

  /**
   * Ends with the test.
   *
   * @param tls paths of its certificate and key, and of what it demands client certificates to be signed by
   */
  static async start(t: Teardown, tls?: { certificate: string; key: string; clientcas: string[] }): Promise<DockerRegistry> {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, "storage"));
    return await DockerRegistry.#serve(t, folder, "config.yml", { tls });
  }

  /** Another one with what `open` has, which asks for a password. @param users "name:bcrypt", a line each */
  static async guarded(t: Teardown, open: DockerRegistry, users: string): Promise<DockerRegistry> {
    const path = join(open.folder, "users");
    await writeFile(path, `${users}\n`);
    return await DockerRegistry.#serve(t, open.folder, "guarded.yml", { auth: { htpasswd: { realm: "test", path } } });
  }

  static async #serve(
    t: Teardown,
    folder: string,
    file: string,
    more: { readonly tls?: object | undefined; readonly auth?: object },
  ): Promise<DockerRegistry> {
    const storage = { filesystem: { rootdirectory: join(folder, "storage") }, delete: { enabled: true } };
    // JSON is YAML too.
    await writeFile(
      join(folder, file),
      JSON.stringify({ version: 0.1, log: { level: "info" }, storage, http: { addr: "127.0.0.1:0", tls: more.tls }, auth: more.auth }),
    );
    const child = spawn("docker-registry", ["serve", join(folder, file)], { stdio: ["ignore", "ignore", "pipe"] });
    t.teardown(() => end(child));
    return new DockerRegistry(await addressOf(child), folder);
  }

  async push(repository: string, tag: string, image: TestImage): Promise<void> {
    for (const blob of [image.config, ...image.layers]) await this.pushBlob(repository, blob);
    await this.putManifest(repository, tag, image.manifest.bytes, OCI_MANIFEST);
  }

  async pushBlob(repository: string, { digest, bytes }: Blob): Promise<void> {
    const upload = await request(`http://${this.address}/v2/${repository}/blobs/uploads/`, { method: "POST" });
    await upload.body.dump();
    const url = new URL(String(upload.headers["location"]), `http://${this.address}`);
    url.searchParams.set("digest", digest);
    await expectCreated(await request(url, { method: "PUT", body: bytes, headers: { "content-type": "application/octet-stream" } }));
  }

  async putManifest(repository: string, name: string, body: Buffer, mediaType: string): Promise<void> {
    await expectCreated(
      await request(`http://${this.address}/v2/${repository}/manifests/${name}`, {
        method: "PUT",
        body,
        headers: { "content-type": mediaType },
      }),
    );
  }

  /** The file in which it keeps a blob, for tests that harm it. */
  blobFile(digest: string): string {
    const hex = digest.slice("sha256:".length);
    return join(this.folder, "storage/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
  }
}

async function expectCreated({ statusCode, body }: { statusCode: number; body: { text(): Promise<string> } }): Promise<void> {
  const text = await body.text();
  if (statusCode !== 201) throw new Error(`push: HTTP ${statusCode}: ${text}`);
}

/** It tells the port that the kernel gave it in its log. */
async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error("docker-registry has no log");
  const lines = createInterface(child.stderr);
  const heard: string[] = [];
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`start docker-registry: ${why}\n${heard.join("\n")}`));
    const timer = setTimeout(() => fail(`not within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    child.once("error", (failure) => fail(failure.message));
    child.once("exit", (code) => fail(`it ended with ${code}`));
    lines.on("line", (line) => {
      heard.push(line);
      const address = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}
