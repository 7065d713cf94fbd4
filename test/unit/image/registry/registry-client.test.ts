import type { IncomingMessage, ServerResponse } from "node:http";
import test, { type ExecutionContext } from "ava";
import type { Backoff } from "../../../../src/base/backoff.ts";
import { parseReference } from "../../../../src/image/reference.ts";
import type { RegistryAuth } from "../../../../src/image/registry/credentials.ts";
import { isRegistryUnavailable } from "../../../../src/image/registry/failures.ts";
import { parseHosts } from "../../../../src/image/registry/hosts.ts";
import { RegistryClient } from "../../../../src/image/registry/registry-client.ts";
import { FakeRegistry, type Intercept } from "../../../lib/fake-registry.ts";
import { never } from "../../../lib/image-service.ts";
import { blobOf, makeImage, OCI_MANIFEST } from "../../../lib/oci-image.ts";

const NO_AUTH: RegistryAuth = { username: "", password: "", auth: "", serverAddress: "", identityToken: "", registryToken: "" };
const USER: RegistryAuth = { ...NO_AUTH, username: "user", password: "word" };
const BASIC = `Basic ${Buffer.from("user:word").toString("base64")}`;

const TRIES = 3;
const QUICK: Backoff = { firstMs: 1, mostMs: 4, tries: TRIES, giveUpMs: 600_000 };

async function clientOf(
  t: ExecutionContext,
  registry: FakeRegistry,
  auth?: RegistryAuth,
  table = "",
  patience = QUICK,
): Promise<RegistryClient> {
  const [host] = await parseHosts(table, registry.address, "/nowhere", "hosts.toml");
  if (host === undefined) throw new Error("the table has no host");
  const client = new RegistryClient(host, parseReference(`${registry.address}/a/b:1`), auth, patience);
  t.teardown(() => client.close());
  return client;
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Lets a request pass only with this token, and gives it to those who ask at /token. */
function withToken(registry: FakeRegistry, token: () => string, asked: string[] = []) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url?.startsWith("/token") === true) {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "nobody"}`);
      response.end(JSON.stringify({ token: token() }));
      return true;
    }
    if (request.headers.authorization === `Bearer ${token()}`) return false;
    response
      .writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.address}/token",service="svc",scope="repository:a/b:pull"` })
      .end("{}");
    return true;
  };
}

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

/** Fails the first requests, each in its own way, then leaves them to the content. */
function failing(...ways: readonly ((response: ServerResponse) => unknown)[]): Intercept {
  const waiting = [...ways];
  return (_request, response) => waiting.shift()?.(response) !== undefined;
}

const overloaded = (headers: Record<string, string>) => (response: ServerResponse) => response.writeHead(503, headers).end();
const broken = (response: ServerResponse) => response.destroy();
const brokenInTheMiddle = (response: ServerResponse) =>
  response.writeHead(200, { "content-length": 1000 }).write("{", () => response.destroy());

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

test("an anonymous token is fetched when the registry wants one, and used again", async (t) => {
  const registry = await FakeRegistry.start(t);
  const image = makeImage();
  registry.add("a/b", "1", image);
  const asked: string[] = [];
  registry.intercept = withToken(registry, () => "t1", asked);
  const client = await clientOf(t, registry);
  await client.document("1", "", never);
  await bytesOf(await client.blob(image.id, never));
  t.deepEqual(asked, ["GET /token?service=svc&scope=repository%3Aa%2Fb%3Apull nobody"]);
});

test("a name and a password are shown to the token server, not to the registry", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.add("a/b", "1", makeImage());
  const asked: string[] = [];
  const shown: (string | undefined)[] = [];
  const answer = withToken(registry, () => "t1", asked);
  registry.intercept = (request, response) => {
    if (request.url?.startsWith("/v2") === true) shown.push(request.headers.authorization);
    return answer(request, response);
  };
  await (await clientOf(t, registry, USER)).document("1", "", never);
  t.regex(asked.join(), new RegExp(`${BASIC}$`));
  t.deepEqual(shown, [undefined, "Bearer t1"]);
});

test("a token that has run out is fetched anew", async (t) => {
  const registry = await FakeRegistry.start(t);
  const image = makeImage();
  registry.add("a/b", "1", image);
  let token = "t1";
  registry.intercept = withToken(registry, () => token);
  const client = await clientOf(t, registry);
  await client.document("1", "", never);
  token = "t2";
  t.deepEqual(await bytesOf(await client.blob(image.id, never)), image.config.bytes);
});

test("requests that are challenged at once sign in once", async (t) => {
  const registry = await FakeRegistry.start(t);
  const image = makeImage({ layers: [{ a: "1" }, { b: "2" }, { c: "3" }] });
  registry.add("a/b", "1", image);
  const asked: string[] = [];
  registry.intercept = withToken(registry, () => "t1", asked);
  const client = await clientOf(t, registry);
  await Promise.all(image.layers.map(async ({ digest }) => bytesOf(await client.blob(digest, never))));
  t.is(asked.length, 1);
});

test("a token that is refused is not shown for ever", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.intercept = (request, response) => {
    if (request.url?.startsWith("/token") === true) response.end('{"token":"bad"}');
    else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.address}/token"` }).end();
    return true;
  };
  t.like(await t.throwsAsync((await clientOf(t, registry, USER)).document("1", "", never)), { kind: "failed-precondition" });
  t.is(registry.count("/v2/"), 2);
});

test("an identity token is exchanged, and a registry token is shown as it is", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.add("a/b", "1", makeImage());
  const forms: string[] = [];
  registry.intercept = (request, response) => {
    if (request.headers.authorization === "Bearer exchanged") return false;
    if (request.url?.startsWith("/token") === true) {
      request.setEncoding("utf8").on("data", (text: string) => forms.push(`${request.method} ${request.url} ${text}`));
      request.on("end", () => response.end('{"access_token":"exchanged"}'));
      return true;
    }
    response.writeHead(401, { "www-authenticate": `Bearer realm="http://${registry.address}/token",service="svc"` }).end();
    return true;
  };
  await (await clientOf(t, registry, { ...NO_AUTH, identityToken: "id" })).document("1", "", never);
  t.deepEqual(forms, ["POST /token service=svc&scope=repository%3Aa%2Fb%3Apull&grant_type=refresh_token&refresh_token=id&client_id=berth"]);
  await (await clientOf(t, registry, { ...NO_AUTH, registryToken: "exchanged" })).document("1", "", never);
  t.is(forms.length, 1);
});

test("a plain password is shown when the registry asks for one", async (t) => {
  const registry = await FakeRegistry.start(t);
  registry.add("a/b", "1", makeImage());
  registry.intercept = (request, response) => {
    if (request.headers.authorization === BASIC) return false;
    response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    return true;
  };
  await (await clientOf(t, registry, USER)).document("1", "", never);
  t.like(await t.throwsAsync((await clientOf(t, registry)).document("1", "", never)), { kind: "failed-precondition" });
});

test("a mirror does not get the registry's credentials, and learns whose image is meant", async (t) => {
  const [registry, mirror] = [await FakeRegistry.start(t), await FakeRegistry.start(t)];
  const seen: string[] = [];
  mirror.intercept = (request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? "nobody"} ${String(request.headers["x-mine"])}`);
    response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    return true;
  };
  const table = `server = "http://${registry.address}"\n[host."http://${mirror.address}".header]\nx-mine = "yes"\n`;
  await t.throwsAsync((await clientOf(t, registry, USER, table)).document("1", "", never));
  t.deepEqual(seen, [`/v2/a/b/manifests/1?ns=${encodeURIComponent(registry.address)} nobody yes`]);
});

test("a redirect is followed to another host without what signs us in", async (t) => {
  const [registry, store] = [await FakeRegistry.start(t), await FakeRegistry.start(t)];
  const blob = blobOf("content");
  store.put("/there", blob.bytes);
  const shown: (string | undefined)[] = [];
  store.intercept = (request) => {
    shown.push(request.headers.authorization);
    return false;
  };
  const token = withToken(registry, () => "t1");
  registry.intercept = (request, response) => {
    if (token(request, response)) return true;
    response.writeHead(307, { location: `http://${store.address}/there` }).end();
    return true;
  };
  const client = await clientOf(t, registry, USER);
  t.deepEqual(await bytesOf(await client.blob(blob.digest, never)), blob.bytes);
  t.deepEqual(shown, [undefined]);
});

test("what a host asks that a redirect led to is not answered", async (t) => {
  const [registry, stranger] = [await FakeRegistry.start(t), await FakeRegistry.start(t)];
  stranger.intercept = (_request, response) => {
    response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    return true;
  };
  const shown: (string | undefined)[] = [];
  registry.intercept = (request, response) => {
    shown.push(request.headers.authorization);
    response.writeHead(307, { location: `http://${stranger.address}/there` }).end();
    return true;
  };
  t.like(await t.throwsAsync((await clientOf(t, registry, USER)).blob(blobOf("x").digest, never)), { kind: "failed-precondition" });
  t.deepEqual(stranger.requests, ["GET /there"]);
  t.deepEqual(shown, [undefined]);
});

for (const [what, location] of [
  ["in a circle", "/v2/again"],
  ["to a file", "file:///etc/passwd"],
  ["to nowhere", "http://["],
] as const) {
  test(`a redirect ${what} is refused`, async (t) => {
    const registry = await FakeRegistry.start(t);
    registry.intercept = (_request, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
    t.like(await t.throwsAsync((await clientOf(t, registry)).blob(blobOf("x").digest, never)), { kind: "failed-precondition" });
    t.true(registry.requests.length <= 6);
  });
}

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
