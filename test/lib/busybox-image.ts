// An image that tests run: Debian's static busybox with every applet, and berth-demo.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { imageOf, type TestImage } from "./oci-image.ts";
import { makeTar, type TarEntry } from "./tar.ts";

const BUSYBOX = "/bin/busybox";
export const demoProgram = join(
  fileURLToPath(new URL("../..", import.meta.url)),
  "native/target/x86_64-unknown-linux-gnu/release/berth-demo",
);

let made: Promise<TestImage> | undefined;

/** Made once a process. */
export function busyboxImage(): Promise<TestImage> {
  made ??= make();
  return made;
}

async function make(): Promise<TestImage> {
  const { stdout } = await promisify(execFile)(BUSYBOX, ["--list"]);
  const applets = stdout.split("\n").filter((name) => name !== "" && name !== "busybox");
  const base: TarEntry[] = [
    ...["bin/", "etc/", "tmp/", "home/"].map((name) => ({ name, isFolder: true })),
    { name: "bin/busybox", content: await readFile(BUSYBOX), mode: 0o755 },
    ...applets.map((name) => ({ name: `bin/${name}`, link: "busybox" })),
    { name: "etc/passwd", content: "root:x:0:0:root:/:/bin/sh\ntester:x:1000:1000:Tester:/home:/bin/sh\n" },
    { name: "etc/group", content: "root:x:0:\ntester:x:1000:\nreaders:x:2000:tester\n" },
  ];
  const demo: TarEntry[] = [{ name: "bin/berth-demo", content: await readFile(demoProgram), mode: 0o755 }];
  return imageOf([base, demo].map(makeTar), { config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] } });
}
