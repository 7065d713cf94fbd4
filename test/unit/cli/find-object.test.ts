import test from "ava";
import { findObject } from "../../../src/cli/find-object.ts";

const id = (digits: string): string => digits.padEnd(64, "0");

const OBJECTS = {
  pods: [
    { id: id("aa1"), name: "shop" },
    { id: id("aa2"), name: "web" },
    { id: id("bb1"), name: "twin" },
    { id: id("bb2"), name: "twin" },
  ],
  containers: [
    { id: id("cc1"), podId: id("aa1"), name: "web" },
    { id: id("cc2"), podId: id("aa1"), name: "db" },
    { id: id("aa3"), podId: id("aa1"), name: "aa2" },
  ],
  images: [
    { id: id("dd1"), name: "a.example/db:1" },
    { id: id("dd1"), name: "db" },
    { id: id("cc3"), name: "shop/db" },
    { id: id("ee1"), name: "twin/db" },
  ],
};

test("pods, containers and images are found by their names and ids", (t) => {
  t.deepEqual(findObject("shop", OBJECTS), { type: "pod", id: id("aa1") });
  t.deepEqual(findObject("shop/web", OBJECTS), { type: "container", id: id("cc1") });
  t.deepEqual(findObject("cc2", OBJECTS), { type: "container", id: id("cc2") });
  t.deepEqual(findObject("a.example/db:1", OBJECTS), { type: "image", id: id("dd1") });
  t.deepEqual(findObject(`sha256:${id("dd1")}`, OBJECTS), { type: "image", id: id("dd1") });
  t.deepEqual(findObject("dd", OBJECTS), { type: "image", id: id("dd1") });
});

test("a name goes before the beginning of an id, whatever it is of", (t) => {
  t.deepEqual(findObject("aa2", OBJECTS), { type: "container", id: id("aa3") });
});

test("what may be of several types is an error that names them, and the type decides", (t) => {
  const failure = t.throws(() => findObject("web", OBJECTS));
  t.like(failure, { kind: "failed-precondition" });
  t.regex(failure?.message ?? "", /pod aa20000000000 \(web\), container cc10000000000 \(shop\/web\); give --type, or say more/);
  t.deepEqual(findObject("web", OBJECTS, "container"), { type: "container", id: id("cc1") });
  t.deepEqual(findObject("db", OBJECTS, "image"), { type: "image", id: id("dd1") });
  t.deepEqual(findObject("shop/db", OBJECTS, "image"), { type: "image", id: id("cc3") });
  t.deepEqual(findObject("twin/db", OBJECTS, "image"), { type: "image", id: id("ee1") });
});

test("what may be several of one type has no use for the type", (t) => {
  t.regex(t.throws(() => findObject("twin", OBJECTS))?.message ?? "", /\(twin\), pod .*\(twin\); say more of the id$/);
  t.throws(() => findObject("cc", OBJECTS, "container"), { message: /cc10000000000.*cc20000000000/ });
});

test("what names nothing is not found, and neither is what is of another type", (t) => {
  for (const [text, type] of [
    ["", undefined],
    ["zz", undefined],
    ["none/web", undefined],
    ["shop", "image"],
  ] as const) {
    t.like(
      t.throws(() => findObject(text, OBJECTS, type)),
      { kind: "not-found" },
    );
  }
});
