import test from "ava";
import { parseChallenge, tokenUrl } from "../../../../src/image/registry/challenge.ts";

const registry = new URL("https://registry.example/v2");
const local = new URL("http://127.0.0.1:5000/v2");
const bearer = (realm: string, scope = "") => ({ scheme: "bearer", realm, service: "svc", scope }) as const;

test("a challenge is read", (t) => {
  t.deepEqual(
    parseChallenge('Bearer realm="https://auth.example/token",service="svc",scope="repository:a/b:pull"'),
    bearer("https://auth.example/token", "repository:a/b:pull"),
  );
  t.like(parseChallenge("basic realm=x"), { scheme: "basic", realm: "x" });
  t.like(parseChallenge("Basic"), { scheme: "basic" });
  t.is(parseChallenge("Negotiate abc"), undefined);
  t.is(parseChallenge("BasicX realm=x"), undefined);
  t.is(parseChallenge(""), undefined);
});

test("the token server is asked for what the registry wants, or for this repository", (t) => {
  t.is(
    tokenUrl(bearer("https://auth.example/token?a=b"), registry, "x/y").href,
    "https://auth.example/token?a=b&service=svc&scope=repository%3Ax%2Fy%3Apull",
  );
  t.is(
    tokenUrl(bearer("https://auth.example/t", "repository:mirror/x:pull"), registry, "x").searchParams.get("scope"),
    "repository:mirror/x:pull",
  );
});

test("a secret goes nowhere unencrypted, but to the unencrypted registry itself", (t) => {
  t.is(tokenUrl(bearer("http://127.0.0.1:5000/token"), local, "x").host, "127.0.0.1:5000");
  for (const realm of ["http://auth.example/token", "http://registry.example/token", "ftp://registry.example/", "token", ""]) {
    t.like(
      t.throws(() => tokenUrl(bearer(realm), registry, "x")),
      { kind: "failed-precondition" },
    );
  }
});
