// A registry within the test's own process: it answers what a test tells it, also what no real one would.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { OCI_MANIFEST, type TestImage } from "./oci-image.ts";
import type { Teardown } from "./teardown.ts";

/** Answers a request itself, or gives false to leave it to the content. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export class FakeRegistry {
  /** "127.0.0.1:40123" */
  readonly address: string;
  /** "GET /v2/a/blobs/sha256:…", in the order they came */
  readonly requests: string[] = [];
  intercept: Intercept = () => false;
  readonly #content = new Map<string, { bytes: Buffer; mediaType: string }>();

  private constructor(address: string) {
    this.address = address;
  }

  static async start(t: Teardown): Promise<FakeRegistry> {
    let registry: FakeRegistry | undefined;
    const server = createServer((request, response) => registry?.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    registry = new FakeRegistry(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return registry;
  }

  add(repository: string, tag: string, image: TestImage, manifestType = OCI_MANIFEST): void {
    for (const blob of [image.config, ...image.layers]) this.put(`/v2/${repository}/blobs/${blob.digest}`, blob.bytes);
    for (const name of [tag, image.manifest.digest]) this.put(`/v2/${repository}/manifests/${name}`, image.manifest.bytes, manifestType);
  }

  put(path: string, bytes: Buffer, mediaType = "application/octet-stream"): void {
    this.#content.set(path, { bytes, mediaType });
  }

  /** How often something whose path has this in it was asked for. */
  count(part: string): number {
    return this.requests.filter((each) => each.includes(part)).length;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "").split("?")[0] ?? "";
    this.requests.push(`${request.method} ${path}`);
    if (this.intercept(request, response)) return;
    const found = this.#content.get(path);
    if (found === undefined)
      return void response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    response.writeHead(200, { "content-type": found.mediaType, "content-length": found.bytes.length }).end(found.bytes);
  }
}
