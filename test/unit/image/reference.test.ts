import test from "ava";
import { parseReference, repository, taggedName } from "../../../src/image/reference.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

const NAMES: readonly (readonly [string, string, string])[] = [
  ["busybox", "docker.io/library/busybox", "latest"],
  ["busybox:1.36", "docker.io/library/busybox", "1.36"],
  ["user/app", "docker.io/user/app", "latest"],
  ["index.docker.io/busybox", "docker.io/library/busybox", "latest"],
  ["docker.io/busybox", "docker.io/library/busybox", "latest"],
  ["localhost/x", "localhost/x", "latest"],
  ["localhost:5000/x:1", "localhost:5000/x", "1"],
  ["127.0.0.1:5000/a/b/c:v2", "127.0.0.1:5000/a/b/c", "v2"],
  ["[::1]:5000/x:1", "[::1]:5000/x", "1"],
  ["registry.k8s.io/pause:3.9", "registry.k8s.io/pause", "3.9"],
  ["registry.example:443/a__b/c-d.e", "registry.example:443/a__b/c-d.e", "latest"],
  [`busybox@${DIGEST}`, "docker.io/library/busybox", ""],
  [`busybox:1@${DIGEST}`, "docker.io/library/busybox", "1"],
];

for (const [text, name, tag] of NAMES) {
  test(`${text.slice(0, 40)} is ${name} with ${tag === "" ? "no tag" : `tag ${tag}`}`, (t) => {
    const reference = parseReference(text);
    t.is(repository(reference), name);
    t.is(reference.tag, tag);
    t.is(reference.digest, text.includes("@") ? DIGEST : "");
  });
}

test("a name with only a digest has no tagged name", (t) => {
  t.is(taggedName(parseReference(`a.example/x@${DIGEST}`)), "");
  t.is(taggedName(parseReference("a.example/x")), "a.example/x:latest");
});

const REFUSED: readonly string[] = [
  "",
  "Busybox",
  "a.example/UPPER",
  "a.example/",
  "a//b",
  "-a",
  "a:",
  `a:${"t".repeat(129)}`,
  "a@sha256:1234",
  `a@sha512:${"a".repeat(128)}`,
  "a b",
  "a\nb",
  "../etc/passwd",
  "a.example/../../x",
  "a.example:99999999/x",
  `${"a".repeat(256)}`,
  "x/".repeat(1000),
  `${"a".repeat(63)}b`,
];

for (const text of REFUSED) {
  test(`${JSON.stringify(text.slice(0, 40))} (${text.length} characters) is no reference`, (t) => {
    const failure = t.throws(() => parseReference(text));
    t.like(failure, { kind: "invalid-argument" });
    t.regex(failure.message, /^read image reference "/);
    t.true(failure.message.length < 500);
  });
}
