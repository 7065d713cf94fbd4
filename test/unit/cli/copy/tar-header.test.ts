import { execFileSync } from "node:child_process";
import test from "ava";
import { decodeHeader, encodeHeader, END, type TarEntry } from "../../../../src/cli/copy/tar-header.ts";

const ENTRY: TarEntry = {
  kind: "file",
  name: "a",
  target: "",
  mode: 0o640,
  uid: 1000,
  gid: 100,
  sizeBytes: 0,
  mtimeSeconds: 1_600_000_000,
};

test("what is written is what is read", (t) => {
  const { kind: _, ...fields } = { ...ENTRY, sizeBytes: 12 };
  t.deepEqual(decodeHeader(encodeHeader({ ...ENTRY, sizeBytes: 12 })), { ...fields, type: "0" });
});

test("numbers that octal digits are too few for stay what they are", (t) => {
  const large = { ...ENTRY, uid: 4_000_000_000, sizeBytes: 20 * 1024 ** 3 };
  t.like(decodeHeader(encodeHeader(large)), { uid: large.uid, sizeBytes: large.sizeBytes });
});

test("another tar program reads it, long names and all", (t) => {
  const name = "n".repeat(120);
  const tar = Buffer.concat([
    encodeHeader({ ...ENTRY, kind: "folder", name: "d", mode: 0o755 }),
    encodeHeader({ ...ENTRY, name: `d/${name}` }),
    encodeHeader({ ...ENTRY, kind: "link", name: "d/l", target: name }),
    END,
  ]);
  const listed = execFileSync("tar", ["-tv", "--numeric-owner", "-f", "-"], {
    input: tar,
    env: { TZ: "UTC", PATH: process.env["PATH"] },
  }).toString();
  t.regex(listed, /^drwxr-xr-x 1000\/100 +0 2020-09-13 12:26 d\/$/m);
  t.regex(listed, new RegExp(`^-rw-r----- 1000/100 .* d/${name}$`, "m"));
  t.regex(listed, new RegExp(`d/l -> ${name}$`, "m"));
});

test("a block of zeros is the end", (t) => t.is(decodeHeader(Buffer.alloc(512)), undefined));
