import type { ServerResponse } from "node:http";
import test from "ava";
import { isRegistryUnavailable } from "../../../../src/image/registry/failures.ts";
import { FakeRegistry } from "../../../lib/fake-registry.ts";
import { never } from "../../../lib/image-service.ts";
import { blobOf } from "../../../lib/oci-image.ts";
import { broken, bytesOf, clientOf, failing, overloaded } from "../../../lib/registry-client.ts";

test("a blob whose connection breaks is taken up where it broke", async (t) => {
  const registry = await FakeRegistry.start(t);
  const blob = blobOf(Buffer.alloc(300_000, "abcdefg"));
  const ranges: (string | undefined)[] = [];
  registry.intercept = (request, response) => {
    const { range } = request.headers;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const part = blob.bytes.subarray(from, from + 100_000);
    const { length } = blob.bytes;
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": length - from,
      ...(range === undefined ? {} : { "content-range": `bytes ${from}-${length - 1}/${length}` }),
    });
    if (from + part.length === blob.bytes.length) response.end(part);
    else response.write(part, () => response.destroy());
    return true;
  };
  t.deepEqual(await bytesOf(await (await clientOf(t, registry)).blob(blob.digest, never)), blob.bytes);
  t.is(ranges[0], undefined);
  t.true(ranges.length >= 3);
});

test("a server that begins at the beginning again is understood", async (t) => {
  const registry = await FakeRegistry.start(t);
  const blob = blobOf(Buffer.alloc(300_000, "abcdefg"));
  let tries = 0;
  registry.intercept = (_request, response) => {
    response.writeHead(200, { "content-length": blob.bytes.length });
    if (++tries > 1) response.end(blob.bytes);
    else response.write(blob.bytes.subarray(0, 100_000), () => response.destroy());
    return true;
  };
  t.deepEqual(await bytesOf(await (await clientOf(t, registry)).blob(blob.digest, never)), blob.bytes);
});

test("a registry that was away while a blob came is waited for, and the rest is asked for", async (t) => {
  const registry = await FakeRegistry.start(t);
  const blob = blobOf(Buffer.alloc(300_000, "abcdefg"));
  registry.put(`/v2/a/b/blobs/${blob.digest}`, blob.bytes);
  const half = (response: ServerResponse) =>
    response.writeHead(200, { "content-length": blob.bytes.length }).write(blob.bytes.subarray(0, 100_000), () => response.destroy());
  registry.intercept = failing(half, broken, overloaded({}));
  t.deepEqual(await bytesOf(await (await clientOf(t, registry)).blob(blob.digest, never)), blob.bytes);
  t.is(registry.requests.length, 4);
});

for (const [what, headers] of [
  ["another part than was asked for", { "content-range": "bytes 250000-299999/300000" }],
  ["a part without saying which", {}],
] as const) {
  test(`a server that sends ${what} is not believed`, async (t) => {
    const registry = await FakeRegistry.start(t);
    registry.intercept = failing(
      (response) => response.writeHead(200, { "content-length": 300_000 }).write(Buffer.alloc(100_000), () => response.destroy()),
      (response) => response.writeHead(206, headers).end(Buffer.alloc(50_000)),
    );
    const client = await clientOf(t, registry);
    const failure = await t.throwsAsync(async () => bytesOf(await client.blob(blobOf("x").digest, never)));
    t.regex(failure.message, /asked for byte \d+ on, it sent another part/);
  });
}

test("a blob that breaks again and again is given up", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.intercept = (_request, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("x", () => response.destroy());
    return true;
  };
  const client = await clientOf(t, registry);
  const failure = await t.throwsAsync(async () => bytesOf(await client.blob(blobOf("x").digest, never)));
  t.true(isRegistryUnavailable(failure));
  t.true(registry.requests.length <= 6);
});

test("who stops reading a blob is not told that the registry failed", async (t) => {
  const registry = await FakeRegistry.start(t);
  const blob = blobOf(Buffer.alloc(1_000_000));
  registry.put(`/v2/a/b/blobs/${blob.digest}`, blob.bytes);
  const source = await (await clientOf(t, registry)).blob(blob.digest, never);
  for await (const chunk of source) {
    t.true(chunk.length > 0);
    break;
  }
});
