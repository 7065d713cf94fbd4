import test from "ava";
import { checkPlatform, choosePlatform } from "../../../../src/image/registry/platform.ts";

const entry = (text: string) => {
  const [os = "", architecture = "", variant = ""] = text.split("/");
  return { name: text, platform: { os, architecture, variant } };
};
const chosen = (arch: string, ...offered: string[]): string => choosePlatform(offered.map(entry), arch).name;

test("the image of this machine is chosen, wherever it stands", (t) => {
  t.is(chosen("x64", "linux/arm64", "windows/amd64", "linux/amd64"), "linux/amd64");
  t.is(chosen("arm64", "linux/amd64", "linux/arm64/v8"), "linux/arm64/v8");
  t.is(chosen("s390x", "linux/amd64", "linux/s390x"), "linux/s390x");
});

test("of several variants, the best one that every such machine runs", (t) => {
  t.is(chosen("x64", "linux/amd64/v3", "linux/amd64"), "linux/amd64");
  t.is(chosen("arm", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7"), "linux/arm/v7");
});

test("an image that needs a newer processor is not chosen", (t) => {
  t.like(
    t.throws(() => chosen("x64", "linux/amd64/v4")),
    { kind: "not-found" },
  );
});

test("when there is none, the message says what there is", (t) => {
  const failure = t.throws(() => chosen("x64", "linux/arm64/v8", "unknown/unknown"));
  t.like(failure, {
    kind: "not-found",
    message: "choose image of index: none is for linux/amd64; there are linux/arm64/v8, unknown/unknown",
  });
});

test("a single image without a platform is taken", (t) => {
  t.is(chosen("x64", ""), "");
  t.throws(() => chosen("x64", "", ""));
});

test("an image says for itself what it is for", (t) => {
  t.notThrows(() => checkPlatform({ os: "linux", architecture: "amd64" }, "x64"));
  t.notThrows(() => checkPlatform({ os: "", architecture: "" }, "x64"));
  t.like(
    t.throws(() => checkPlatform({ os: "linux", architecture: "arm64" }, "x64")),
    { kind: "not-found" },
  );
  t.throws(() => checkPlatform({ os: "windows", architecture: "amd64" }, "x64"));
});
