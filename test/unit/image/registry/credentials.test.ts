import test from "ava";
import { areFor, readCredentials, type RegistryAuth } from "../../../../src/image/registry/credentials.ts";

const auth = (part: Partial<RegistryAuth>): RegistryAuth => ({
  username: "",
  password: "",
  auth: "",
  serverAddress: "",
  identityToken: "",
  registryToken: "",
  ...part,
});
const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("each form of credentials is understood", (t) => {
  t.is(readCredentials(undefined), undefined);
  t.is(readCredentials(auth({})), undefined);
  t.deepEqual(readCredentials(auth({ username: "u", password: "p:w" })), { kind: "basic", base64: base64("u:p:w") });
  t.deepEqual(readCredentials(auth({ auth: base64("u:p\0\0") })), { kind: "basic", base64: base64("u:p") });
  t.deepEqual(readCredentials(auth({ identityToken: "id" })), { kind: "identity", token: "id" });
  t.deepEqual(readCredentials(auth({ registryToken: "reg" })), { kind: "registry", token: "reg" });
});

test("credentials that can't be sent are refused without a word of what they are", (t) => {
  for (const bad of [
    auth({ auth: base64("secretword") }),
    auth({ registryToken: "secretword\r\nx: y" }),
    auth({ password: `secretword${"x".repeat(70_000)}` }),
  ]) {
    const failure = t.throws(() => readCredentials(bad));
    t.like(failure, { kind: "invalid-argument" });
    t.false(failure.message.includes("secretword"));
  }
});

const registry = new URL("https://registry.example/v2");
const mirror = new URL("https://mirror.example/v2");
const hub = new URL("https://registry-1.docker.io/v2");

test("credentials that name no server are the registry's, and no mirror's", (t) => {
  t.true(areFor("", registry, "registry.example", true));
  t.false(areFor("", mirror, "registry.example", false));
});

test("credentials that name a server are that server's alone", (t) => {
  t.true(areFor("https://registry.example", registry, "registry.example", true));
  t.true(areFor("mirror.example", mirror, "registry.example", false));
  t.false(areFor("mirror.example", registry, "registry.example", true));
  t.false(areFor("other.example", registry, "registry.example", true));
  t.false(areFor("not a host", registry, "registry.example", true));
});

test("all names of Docker Hub are one", (t) => {
  t.true(areFor("https://index.docker.io/v1/", hub, "docker.io", true));
  t.true(areFor("docker.io", hub, "docker.io", true));
});
