import test from "ava";
import { type Names, withNames, withoutName } from "../../../src/image/names.ts";
import { parseReference } from "../../../src/image/reference.ts";

const A = `sha256:${"a".repeat(64)}`;
const B = `sha256:${"b".repeat(64)}`;
const image: Names = {
  references: ["a.example/app:1", "a.example/app:2", "b.example/app:1"],
  repoDigests: [`a.example/app@${A}`, `b.example/app@${A}`, `c.example/app@${B}`],
};

const without = (...names: string[]) => names.reduce((left, name) => withoutName(left, parseReference(name)), image);

test("a tag goes alone as long as its repository has another one", (t) => {
  t.deepEqual(without("a.example/app:1"), { references: ["a.example/app:2", "b.example/app:1"], repoDigests: image.repoDigests });
});

test("the digests of a repository go with its last tag, and those of others stay", (t) => {
  t.deepEqual(without("a.example/app:1", "a.example/app:2"), {
    references: ["b.example/app:1"],
    repoDigests: [`b.example/app@${A}`, `c.example/app@${B}`],
  });
});

test("a digest goes alone, whatever tag is written before it", (t) => {
  t.deepEqual(without(`b.example/app:1@${A}`), {
    references: image.references,
    repoDigests: [`a.example/app@${A}`, `c.example/app@${B}`],
  });
});

test("a repository whose name begins like another's is another one", (t) => {
  const left = withoutName({ references: ["a.example/app/web:1"], repoDigests: [`a.example/app@${A}`] }, parseReference("a.example/app:1"));
  t.deepEqual(left, { references: ["a.example/app/web:1"], repoDigests: [] });
});

test("names that are added twice are there once, and an absent one is none", (t) => {
  t.deepEqual(withNames({ references: ["a.example/app:1"], repoDigests: [] }, ["", "a.example/app:1", "b.example/app:1"], [""]), {
    references: ["a.example/app:1", "b.example/app:1"],
    repoDigests: [],
  });
});
