import test from "ava";
import { findContainer, findEither, findImage, findPod } from "../../../src/cli/find.ts";

const id = (digits: string): string => digits.padEnd(64, "0");

const PODS = [
  { id: id("aa11"), name: "shop" },
  { id: id("aa22"), name: "bank" },
  { id: id("bb33"), name: "twin" },
  { id: id("bb44"), name: "twin" },
];
const CONTAINERS = [
  { id: id("c1"), podId: id("aa11"), name: "web" },
  { id: id("c2"), podId: id("aa22"), name: "web" },
  { id: id("d3"), podId: id("aa22"), name: "db" },
  { id: id("e4"), podId: id("aa22"), name: "aa2" },
];

test("a pod is found by its id, a beginning of it, and its name", (t) => {
  t.is(findPod(id("aa11"), PODS).name, "shop");
  t.is(findPod("aa1", PODS).name, "shop");
  t.is(findPod("shop", PODS).id, id("aa11"));
});

test("a beginning that several ids have is an error that lists them", (t) => {
  const failure = t.throws(() => findPod("aa", PODS));
  t.regex(failure?.message ?? "", /pod aa11000000000 \(shop\), pod aa22000000000 \(bank\)/);
});

test("a name that several pods have is an error, and their ids still tell them apart", (t) => {
  t.regex(t.throws(() => findPod("twin", PODS))?.message ?? "", /bb33000000000.*bb44000000000/);
  t.is(findPod("bb4", PODS).id, id("bb44"));
});

test("what names nothing is not found, and neither is nothing", (t) => {
  t.like(
    t.throws(() => findPod("zz", PODS)),
    { kind: "not-found" },
  );
  t.like(
    t.throws(() => findPod("", PODS)),
    { kind: "not-found" },
  );
  t.like(
    t.throws(() => findContainer("shop/", CONTAINERS, PODS)),
    { kind: "not-found" },
  );
});

test("a container is found by its id, a beginning of it, POD/NAME, and a name that only it has", (t) => {
  t.is(findContainer(id("c1"), CONTAINERS, PODS).id, id("c1"));
  t.is(findContainer("d", CONTAINERS, PODS).id, id("d3"));
  t.is(findContainer("shop/web", CONTAINERS, PODS).id, id("c1"));
  t.is(findContainer("aa2/web", CONTAINERS, PODS).id, id("c2"));
  t.is(findContainer("db", CONTAINERS, PODS).id, id("d3"));
});

test("a name that containers of several pods have is an error that names their pods", (t) => {
  t.regex(t.throws(() => findContainer("web", CONTAINERS, PODS))?.message ?? "", /shop\/web.*bank\/web/);
});

test("where either may be meant, pods go first", (t) => {
  t.like(findEither("shop", PODS, [...CONTAINERS, { id: id("f5"), podId: id("aa11"), name: "shop" }]), { kind: "pod" });
  t.like(findEither("db", PODS, CONTAINERS), { kind: "container" });
  t.like(findEither("shop/web", PODS, CONTAINERS), { kind: "container" });
});

test("a container's whole name is not taken for the beginning of a pod's id", (t) => {
  t.like(findEither("aa2", PODS, CONTAINERS), { kind: "container", container: { id: id("e4") } });
});

test("a name means the newest attempt, and the older ones are found by their ids", (t) => {
  const attempts = [
    { id: id("a0"), podId: id("aa11"), name: "web", attempt: 0 },
    { id: id("a2"), podId: id("aa11"), name: "web", attempt: 2 },
    { id: id("a1"), podId: id("aa11"), name: "web", attempt: 1 },
  ];
  t.is(findContainer("web", attempts, PODS).id, id("a2"));
  t.is(findContainer("shop/web", attempts, PODS).id, id("a2"));
  t.is(findContainer("a1", attempts, PODS).id, id("a1"));
  t.regex(t.throws(() => findContainer("a", attempts, PODS))?.message ?? "", /a00000000000.*a20000000000.*a10000000000/);
  const other = { id: id("b0"), podId: id("aa22"), name: "web", attempt: 0 };
  t.regex(t.throws(() => findContainer("web", [...attempts, other], PODS))?.message ?? "", /shop\/web.*bank\/web/);
});

const IMAGES = [
  { id: id("ab1"), name: "a.example/web:1" },
  { id: id("ab1"), name: "a.example/web:2" },
  { id: id("ab2"), name: "" },
];

test("an image is found by each of its names, by its id, and by the beginning of its id", (t) => {
  for (const text of ["a.example/web:1", "a.example/web:2", "ab1", id("ab1"), `sha256:${id("ab1")}`, "sha256:ab1"]) {
    t.is(findImage(text, IMAGES).id, id("ab1"), text);
  }
  t.regex(
    t.throws(() => findImage("ab", IMAGES))?.message ?? "",
    /image ab10000000000 \(a.example\/web:2\), image ab20000000000 \(no name\)/,
  );
});

test("neither no name nor another tag names an image", (t) => {
  for (const text of ["", "a.example/web:3", "a.example/web", "ff"])
    t.like(
      t.throws(() => findImage(text, IMAGES)),
      { kind: "not-found" },
      text,
    );
});
