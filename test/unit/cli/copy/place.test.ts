import test from "ava";
import { nameOf, parsePlace } from "../../../../src/cli/copy/place.ts";

for (const [text, place] of [
  ["web:/etc", { kind: "container", container: "web", path: "/etc" }],
  ["shop/web:etc/a:b", { kind: "container", container: "shop/web", path: "etc/a:b" }],
  ["-", { kind: "tar" }],
  ["./a:b", { kind: "local", path: "./a:b" }],
  ["/a:b", { kind: "local", path: "/a:b" }],
  ["..", { kind: "local", path: ".." }],
  ["plain", { kind: "local", path: "plain" }],
] as const) {
  test(`${text} is a place: ${place.kind}`, (t) => t.deepEqual(parsePlace(text), place));
}

for (const text of ["", ":/etc", "web:"]) {
  test(`${JSON.stringify(text)} is no place`, (t) => void t.throws(() => parsePlace(text), { name: "UsageError" }));
}

test("a copy has the last part of the path for a name, unless it is about what is in it", (t) => {
  t.deepEqual(["/etc/nginx/", "a", "/a/.b"].map(nameOf), ["nginx", "a", ".b"]);
  t.deepEqual(["/", ".", "/a/.", "a/..", "/a/./"].map(nameOf), Array(5).fill(undefined));
});
