import test from "ava";
import { FakeRegistry } from "../../../lib/fake-registry.ts";
import { never } from "../../../lib/image-service.ts";
import { blobOf, makeImage } from "../../../lib/oci-image.ts";
import { BASIC, NO_AUTH, USER, bytesOf, clientOf, withToken } from "../../../lib/registry-client.ts";

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
