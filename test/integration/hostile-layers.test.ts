// Layers that were made to harm the node: whatever becomes of the image, the host's files are as they were, nothing of it is
// on the node once it is removed, and nobody needs much memory for it.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { hashOf, makeCanary } from "../lib/canary.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import { TestNode } from "../lib/node.ts";
import { imageOf } from "../lib/oci-image.ts";
import { DockerRegistry } from "../lib/registry.ts";
import { makeTar, type TarEntry } from "../lib/tar.ts";
import { shared } from "../lib/teardown.ts";

const MIB = 1024;
const MAX_PEAK_KIB = { berthd: 256 * MIB, helper: 48 * MIB, unpacker: 160 * MIB };

const place = shared(test, async (t) => {
  const node = await TestNode.start(t, { withImage: false });
  const registry = await DockerRegistry.start(t);
  // One beside the node's own folder, and one elsewhere.
  const canaries = [join(node.folder, "canary"), join(await temporaryFolder(t), "canary")] as const;
  for (const canary of canaries) await makeCanary(canary);
  return { node, registry, canaries };
});

const file = (name: string): TarEntry => ({ name, content: "changed", mode: 0o777 });

/** The layers of an image, for a folder that they are aimed at; a link needs a name shorter than 100 bytes. */
const ATTACKS: Readonly<Record<string, (canary: string) => readonly TarEntry[][]>> = {
  "names that lead up": (canary) => [[file(`../../../../../../../..${canary}/file`)]],
  "names that lead up from below": (canary) => [[file(`a/../../../../../../..${canary}/file`)]],
  "absolute names": (canary) => [[file(`${canary}/file`), { name: `${canary}/`, isFolder: true, mode: 0o777 }]],
  "a name that leads to the folder beside the layers": () => [[file("../../canary/file"), file("../../../canary/file")]],
  "a file through a link": (canary) => [[{ name: "out", link: canary }, file("out/file"), file("out/new")]],
  "a file through a link that leads up": (canary) => [[{ name: "out", link: `../../../../../../..${canary}` }, file("out/file")]],
  "a file through a link of the layer below": (canary) => [[{ name: "out", link: canary }], [file("out/file")]],
  "a file through links to links": (canary) => [
    [{ name: "a", link: "b/c" }, { name: "b", link: "/" }, { name: "c", link: canary }, file("a/file"), file("b/c/folder/inner")],
  ],
  "a file in place of a link": (canary) => [[{ name: "file", link: `${canary}/file` }, file("file")]],
  "a folder in place of a link": (canary) => [
    [
      { name: "out", link: canary },
      { name: "out/", isFolder: true, mode: 0o777 },
    ],
  ],
  "a hard link to a file of the host": (canary) => [[{ name: "mine", hardLink: `${canary}/file` }, file("mine")]],
  "a hard link that leads up": (canary) => [[{ name: "mine", hardLink: `../../../../../../..${canary}/file` }, file("mine")]],
  "a hard link to a link": (canary) => [
    [
      { name: "out", link: `${canary}/file` },
      { name: "mine", hardLink: "out" },
      { name: "mine", content: "changed", attributes: { "user.note": "x" } },
    ],
  ],
  "a hard link through a link": (canary) => [[{ name: "out", link: canary }, { name: "mine", hardLink: "out/file" }, file("mine")]],
  "attributes through a link": (canary) => [
    [
      { name: "out", link: canary },
      { name: "out/noted", content: "x", attributes: { "user.note": "changed", "security.capability": "x".repeat(20) } },
    ],
  ],
  "a whiteout through a link": (canary) => [[{ name: "out", link: canary }, { name: "out/.wh.file" }, { name: "out/folder/.wh..wh..opq" }]],
  "whiteouts of what is above": () => [[{ name: ".wh..." }, { name: ".wh.." }, { name: "../.wh.canary" }]],
  devices: () => [
    [
      { name: "mem", device: [1, 1] },
      { name: "mem", content: "changed" },
      { name: "zero", device: [1, 5], mode: 0o666 },
    ],
  ],
  "attributes that are the node's": () => [
    [{ name: "d/", isFolder: true, attributes: { "trusted.overlay.redirect": "/etc", "trusted.overlay.opaque": "y" } }],
  ],
  "a hole of many times the disk": () => [
    [
      { name: "pax", kind: "x", content: SPARSE_RECORDS },
      { name: "GNUSparseFile.0/hole", content: NO_PIECES },
    ],
  ],
  "an extension that is too large": () => [[{ name: "pax", kind: "x", content: Buffer.alloc(8 * 2 ** 20) }, file("a")]],
  "a bomb": () => [[{ name: "zeros", content: Buffer.alloc(80 * 2 ** 20) }]],
  "a flood of folders": () => [Array.from({ length: 20_000 }, (_, number) => ({ name: `f/${number % 5000}/`, isFolder: true }))],
  "a folder that is very deep": () => [[file("d/".repeat(48)), { name: "d/".repeat(48), link: "d" }, file(`${"d/".repeat(40)}x`)]],
};

// The size is 2^62.
const SPARSE_RECORDS = [
  "22 GNU.sparse.major=1",
  "22 GNU.sparse.minor=0",
  "43 GNU.sparse.realsize=4611686018427387904",
  "24 GNU.sparse.name=hole",
]
  .map((record) => `${record}\n`)
  .join("");
const NO_PIECES = "0\n".padEnd(512, "\0");

const peaks = { berthd: 0, helper: 0, unpacker: 0 };

for (const [what, layers] of Object.entries(ATTACKS)) {
  test(`${what}: the host's files are as they were, and nothing is left when the image is removed`, async (t) => {
    const { node, registry, canaries } = place();
    const before = await Promise.all(canaries.map(hashOf));
    // What is aimed at no folder is tried once.
    for (const [index, canary] of canaries.slice(0, layers.length + 1).entries()) {
      const name = `${what.replaceAll(/[^a-z]+/g, "-")}/${index}`;
      await registry.push(name, "1", imageOf(layers(canary).map(makeTar)));
      const image = { image: { image: `${registry.address}/${name}:1` } };
      // Refused or kept inside: both are right.
      await watched(
        node,
        node.cri.call("PullImage", image).catch(() => {}),
      );
      t.deepEqual(await Promise.all(canaries.map(hashOf)), before);
      await node.cri.call("RemoveImage", image);
    }
    t.deepEqual(await readdir(join(node.root, "snapshots")), []);
    t.deepEqual((await readdir(node.folder)).sort(), ["canary", "lib", "logs", "run"]);
  });
}

test.after("no layer took much memory", (t) => {
  for (const part of ["berthd", "helper", "unpacker"] as const) {
    t.log(`${part}: ${Math.round(peaks[part] / MIB)} MiB at most`);
    t.true(peaks[part] > 0 && peaks[part] < MAX_PEAK_KIB[part], `${part} took ${peaks[part]} KiB`);
  }
});

/** Looks how much memory the parts have had, again and again while the work goes on: nobody tells it of a process that has ended. */
async function watched(node: TestNode, work: Promise<unknown>): Promise<void> {
  const helper = await node.helperPid();
  let goesOn = true;
  const look = async (): Promise<void> => {
    peaks.berthd = Math.max(peaks.berthd, await peakKib(node.pid));
    peaks.helper = Math.max(peaks.helper, await peakKib(helper));
    for (const pid of await descendants(helper)) peaks.unpacker = Math.max(peaks.unpacker, await peakKib(pid));
  };
  const watching = (async () => {
    while (goesOn) await look().then(() => new Promise((resolve) => setTimeout(resolve, 2)));
  })();
  await work;
  goesOn = false;
  await watching;
}

async function peakKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

async function descendants(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const children = await readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "");
    for (const child of children.split(" ").filter(Boolean).map(Number)) found.push(child, ...(await descendants(child)));
  }
  return found;
}
