import test from "ava";
import { findImage } from "../../../src/image/find-image.ts";
import type { ImageRecord } from "../../../src/image/records.ts";

const DIGEST = `sha256:${"d".repeat(64)}`;

function image(fill: string, rest: Partial<ImageRecord> = {}): ImageRecord {
  return {
    id: `sha256:${fill.repeat(64).slice(0, 64)}`,
    references: [],
    repoDigests: [],
    manifestDigest: DIGEST,
    sizeBytes: 1n,
    config: { user: "", env: [], entrypoint: [], cmd: [], workingDir: "", stopSignal: "", volumes: [], labels: {}, exposedPorts: [] },
    layers: [],
    createdAtNanos: 1n,
    pinned: false,
    architecture: "amd64",
    os: "linux",
    removed: false,
    ...rest,
  };
}

const tagged = image("abc", { references: ["docker.io/library/busybox:latest", "a.example/x:1"] });
const digested = image("abd", { repoDigests: [`a.example/y@${DIGEST}`] });
const images = [tagged, digested];

test("an image is found by each of its names, written short or whole", (t) => {
  for (const name of ["busybox", "busybox:latest", "docker.io/library/busybox", "a.example/x:1"]) t.is(findImage(images, name), tagged);
  t.is(findImage(images, "a.example/x"), undefined);
});

test("an image is found by its digest, whatever tag stands before it", (t) => {
  t.is(findImage(images, `a.example/y@${DIGEST}`), digested);
  t.is(findImage(images, `a.example/y:old@${DIGEST}`), digested);
  t.is(findImage(images, `a.example/other@${DIGEST}`), undefined);
});

test("an image is found by its id, with and without the algorithm", (t) => {
  t.is(findImage(images, tagged.id), tagged);
  t.is(findImage(images, tagged.id.slice(7)), tagged);
});

test("the beginning of an id is enough when only one image has it", (t) => {
  const first = image("1234567890", {});
  const second = image("1234567891", {});
  t.is(findImage([first], first.id.slice(7, 20)), first);
  t.is(findImage([first], first.id.slice(0, 20)), first);
  t.is(findImage([first, second], "123456789"), undefined);
  t.is(findImage([first], "123456"), undefined, "too short");
});

test("a name comes before the beginning of an id, so that no image can be made to stand in for a name", (t) => {
  const named = image("5", { references: ["docker.io/library/deadbeef:latest"] });
  const posing = image("deadbeef");
  t.is(findImage([posing, named], "deadbeef"), named);
  t.is(findImage([posing], "deadbeef"), posing);
});

test("what is no reference finds nothing", (t) => {
  for (const text of ["", "UPPER", "a b", "sha256:xyz"]) t.is(findImage(images, text), undefined);
});
