import test from "ava";
import { isRegistryUnavailable } from "../../../../src/image/registry/failures.ts";
import { FakeRegistry } from "../../../lib/fake-registry.ts";
import { never } from "../../../lib/image-service.ts";
import { makeImage, OCI_MANIFEST } from "../../../lib/oci-image.ts";
import { TRIES, broken, brokenInTheMiddle, bytesOf, clientOf, failing, overloaded, withToken } from "../../../lib/registry-client.ts";

test("a manifest is brought with the digest of its bytes", async (t) => {
  const registry = await FakeRegistry.start(t);
  const image = makeImage();
  registry.add("a/b", "1", image);
  const { digest, bytes, document } = await (await clientOf(t, registry)).document("1", "", never);
  t.is(digest, image.manifest.digest);
  t.deepEqual(bytes, image.manifest.bytes);
  t.is(document.kind, "manifest");
});

test("a manifest of another digest than was asked for is refused", async (t) => {
  const registry = await FakeRegistry.start(t);
  const [asked, given] = [makeImage(), makeImage({ config: { User: "other" } })];
  registry.put(`/v2/a/b/manifests/${asked.manifest.digest}`, given.manifest.bytes, OCI_MANIFEST);
  const client = await clientOf(t, registry);
  const failure = await t.throwsAsync(client.document(asked.manifest.digest, asked.manifest.digest, never));
  t.like(failure, { kind: "invalid-argument" });
  t.regex(failure.message, new RegExp(`the digest of what came is ${given.manifest.digest}, and not ${asked.manifest.digest}`));
});

test("a manifest of another digest than the registry itself says is refused", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.intercept = (_request, response) => {
    response
      .writeHead(200, { "content-type": OCI_MANIFEST, "docker-content-digest": `sha256:${"0".repeat(64)}` })
      .end(makeImage().manifest.bytes);
    return true;
  };
  t.like(await t.throwsAsync((await clientOf(t, registry)).document("1", "", never)), { kind: "invalid-argument" });
});

test("a manifest that does not end is not read to its end", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.intercept = (_request, response) => {
    response.writeHead(200, { "content-type": OCI_MANIFEST });
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, " ")));
    };
    response.on("drain", more);
    more();
    return true;
  };
  t.like(await t.throwsAsync((await clientOf(t, registry)).document("1", "", never)), { kind: "resource-exhausted" });
});

for (const [status, kind, unavailable, tries] of [
  [400, "internal", false, 1],
  [401, "failed-precondition", false, 1],
  [403, "failed-precondition", false, 1],
  [404, "not-found", false, 1],
  [418, "internal", false, 1],
  [429, "resource-exhausted", false, TRIES],
  [500, "unavailable", true, TRIES],
  [502, "unavailable", true, TRIES],
  [503, "unavailable", true, TRIES],
  [504, "unavailable", true, TRIES],
] as const) {
  const often = tries === 1 ? "asked once" : `asked ${tries} times`;
  test(`HTTP ${status} is ${kind}${unavailable ? ", because the registry is unavailable" : ""}, and ${often}`, async (t) => {
    const registry = await FakeRegistry.start(t);
    registry.intercept = (_request, response) => {
      response.writeHead(status).end("why\u001b[31m\nnot");
      return true;
    };
    const failure = await t.throwsAsync((await clientOf(t, registry)).document("1", "", never));
    t.like(failure, { kind });
    t.is(isRegistryUnavailable(failure), unavailable);
    const said = `get manifest 1 of ${registry.address}/a/b from ${registry.address}: HTTP ${status}: why [31m not`;
    t.true(failure.message.startsWith(said), failure.message);
    t.is(failure.message.endsWith(` (tried ${tries} times)`), tries > 1);
    t.is(registry.requests.length, tries);
  });
}

for (const [what, way] of [
  ["says that it is overloaded", overloaded({})],
  ["says that it is overloaded for 0 seconds", overloaded({ "retry-after": "0" })],
  ["says that it was overloaded until a time that has passed", overloaded({ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" })],
  ["says something about its load that nobody understands", overloaded({ "retry-after": "soon" })],
  ["resets the connection", broken],
  ["resets it in the middle of the answer", brokenInTheMiddle],
] as const) {
  test(`a registry that ${what} is asked again`, async (t) => {
    const registry = await FakeRegistry.start(t);
    const image = makeImage();
    registry.add("a/b", "1", image);
    registry.intercept = failing(way, way);
    t.is((await (await clientOf(t, registry)).document("1", "", never)).digest, image.manifest.digest);
    registry.intercept = failing(way === brokenInTheMiddle ? broken : way);
    t.deepEqual(await bytesOf(await (await clientOf(t, registry)).blob(image.id, never)), image.config.bytes);
  });
}

test("a registry is left alone as long as it asks for", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.add("a/b", "1", makeImage());
  const client = await clientOf(t, registry);
  // A date has whole seconds, so it may be up to one less away.
  for (const after of [() => "1", () => new Date(Date.now() + 2000).toUTCString()]) {
    const before = performance.now();
    registry.intercept = failing((response) => overloaded({ "retry-after": after() })(response));
    await client.document("1", "", never);
    t.true(performance.now() - before > 900);
  }
});

test("a registry that asks for more patience than there is hears no more of us", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.intercept = (_request, response) => {
    response.writeHead(429, { "retry-after": "3600" }).end();
    return true;
  };
  const failure = await t.throwsAsync((await clientOf(t, registry)).document("1", "", never));
  t.regex(failure.message, /HTTP 429 \(it wants to be asked again after 3600 s\)$/);
  t.is(registry.requests.length, 1);
});

test("a token server that is overloaded is asked again", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.add("a/b", "1", makeImage());
  const withTokens = withToken(registry, () => "t1");
  const overload = failing(overloaded({}));
  registry.intercept = (request, response) =>
    (request.url?.startsWith("/token") === true && overload(request, response)) || withTokens(request, response);
  await (await clientOf(t, registry)).document("1", "", never);
  t.is(registry.count("/token"), 2);
});

test("who gives up while a registry is left alone does not wait for it", async (t) => {
  const registry = await FakeRegistry.start(t);
  const leaving = new AbortController();
  registry.intercept = (_request, response) => {
    response.writeHead(503, { "retry-after": "60" }).end(() => setImmediate(() => leaving.abort()));
    return true;
  };
  const before = performance.now();
  t.like(await t.throwsAsync((await clientOf(t, registry)).document("1", "", leaving.signal)), { kind: "cancelled" });
  t.true(performance.now() - before < 60_000);
});

for (const [what, host] of [
  ["nobody answers for", "127.0.0.1:1"],
  ["no name server knows", "registry.invalid"],
] as const) {
  test(`a registry that ${what} is unavailable, after ${TRIES} tries`, async (t) => {
    const client = await clientOf(t, await FakeRegistry.start(t), undefined, `server = "http://${host}"`);
    const failure = await t.throwsAsync(client.document("1", "", never));
    t.like(failure, { kind: "unavailable" });
    t.true(isRegistryUnavailable(failure));
    t.regex(failure.message, new RegExp(`from ${host}: .*\\(tried ${TRIES} times\\)$`));
  });
}

test("a call that is given up ends, and is not the registry's fault", async (t) => {
  const registry = await FakeRegistry.start(t);
  const leaving = new AbortController();
  registry.intercept = () => {
    leaving.abort();
    return true;
  };
  const failure = await t.throwsAsync((await clientOf(t, registry)).document("1", "", leaving.signal));
  t.like(failure, { kind: "cancelled" });
  t.false(isRegistryUnavailable(failure));
});
