import { join } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import test, { type ExecutionContext } from "ava";
import { checkCredentials } from "../../../../src/image/registry/check-credentials.ts";
import { FakeRegistry } from "../../../lib/fake-registry.ts";
import { never, temporaryFolder } from "../../../lib/image-service.ts";

const auth = (password: string) => ({ username: "ci", password, auth: "", serverAddress: "", identityToken: "", registryToken: "" });
const basic = `Basic ${Buffer.from("ci:secret").toString("base64")}`;

async function start(t: ExecutionContext, challenge?: string) {
  const registry = await FakeRegistry.start(t);
  const shown: (string | undefined)[] = [];
  registry.intercept = (request, response) => {
    shown.push(request.headers.authorization);
    const url = request.url ?? "";
    if (url.startsWith("/token")) {
      const right = request.headers.authorization === basic;
      response.writeHead(right ? 200 : 401, { "content-type": "application/json" }).end(right ? '{"token":"t"}' : "{}");
      return true;
    }
    const right = challenge === undefined || request.headers.authorization === (challenge.startsWith("Basic") ? basic : "Bearer t");
    response.writeHead(right ? 200 : 401, right ? {} : { "www-authenticate": challenge?.replace("HOST", registry.address) }).end("{}");
    return true;
  };
  const folder = await temporaryFolder(t);
  const check = (password: string, name = registry.address) => checkCredentials(name, folder, auth(password), never);
  return { registry, shown, folder, check };
}

test("a registry that asks for a password says whether it is right", async (t) => {
  const { registry, shown, check } = await start(t, 'Basic realm="r"');
  t.true(await check("secret"));
  t.deepEqual(shown, [undefined, basic], "the password is shown only when it is asked for");
  t.deepEqual(registry.requests, ["GET /v2/", "GET /v2/"]);
  const failure = await t.throwsAsync(check("wrong"));
  t.like(failure, { kind: "failed-precondition" });
  t.regex(failure.message, /^sign in to 127.*HTTP 401.*credentials/);
});

test("a token server says it in the registry's place, and is asked for no image", async (t) => {
  const { registry, check } = await start(t, 'Bearer realm="http://HOST/token",service="s"');
  t.true(await check("secret"));
  t.deepEqual(registry.requests, ["GET /v2/", "GET /token", "GET /v2/"]);
  t.like(await t.throwsAsync(check("wrong")), { kind: "failed-precondition" });
});

test("a registry that lets everybody in is never shown the password", async (t) => {
  const { shown, check } = await start(t);
  t.false(await check("secret"));
  t.deepEqual(shown, [undefined]);
});

test("a scheme that we don't know is the registry's refusal", async (t) => {
  const { shown, check } = await start(t, 'Negotiate realm="r"');
  t.regex((await t.throwsAsync(check("secret"))).message, /HTTP 401/);
  t.deepEqual(shown, [undefined]);
});

test("a mirror is not asked", async (t) => {
  const mirror = await start(t, 'Basic realm="r"');
  const real = await start(t, 'Basic realm="r"');
  await mkdir(join(real.folder, real.registry.address));
  await writeFile(join(real.folder, real.registry.address, "hosts.toml"), `[host."http://${mirror.registry.address}"]\n`);
  t.true(await real.check("secret"));
  t.deepEqual(mirror.shown, []);
});

test("what is no registry is refused before anything is asked", async (t) => {
  const { shown, check } = await start(t);
  for (const name of ["team", "a.example/team", "A B"]) t.like(await t.throwsAsync(check("secret", name)), { kind: "invalid-argument" });
  t.deepEqual(shown, []);
});
