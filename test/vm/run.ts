// Runs the tests of specs.ts, or the files that are named, in a virtual machine, or lets critest judge a node there.
// usage: node test/vm/run.ts [tests [FILE...] | shell]; CRITEST=path [PARTS=…] [FOCUS=regexp] node test/vm/run.ts conformance
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { makeConformanceDisk, takeReports } from "./conformance-disk.ts";
import { type Disks, startMachine } from "./machine.ts";

const TREE = fileURLToPath(new URL("../..", import.meta.url));
const HERE = join(TREE, "test/vm");
const BUILD = join(TREE, "build/vm");
const RESULTS = join(TREE, "build/results");
const CONSOLE = join(RESULTS, "vm-console.txt");
const LONGEST_MS = { tests: 8 * 60_000, conformance: 60 * 60_000 };
const TOLD_LINES = 60;

/** The image's folder, made if it is not there. Its name is what goes into it; one that was made of other things goes. */
function image(): string {
  const inputs = ["packages.txt", "make-image.sh", "initramfs.sh"].map((name) => readFileSync(join(HERE, name)));
  const name = `image-${createHash("sha256").update(Buffer.concat(inputs)).digest("hex").slice(0, 12)}`;
  for (const other of readdirSync(BUILD)) if (other.startsWith("image-") && other !== name) rmSync(join(BUILD, other), { recursive: true });
  const folder = join(BUILD, name);
  if (!existsSync(folder)) {
    console.log("vm: makes the image out of Debian's packages");
    execFileSync(join(HERE, "make-image.sh"), [folder], { stdio: "inherit" });
  }
  return folder;
}

function tree(): string {
  const disk = join(BUILD, "tree.ext4");
  execFileSync(join(HERE, "make-tree.sh"), [process.execPath, disk], { cwd: TREE, stdio: "inherit" });
  return disk;
}

/** The reports of critest are in build/results/conformance-vm. */
async function runConformance(critest: string): Promise<boolean> {
  const kept = join(BUILD, "conformance.ext4");
  const { PARTS = "spdy", FOCUS } = process.env;
  makeConformanceDisk(kept, resolve(critest), { PARTS, ...(FOCUS !== undefined && { FOCUS }) });
  const holds = await runToEnd("conformance", [], { kept });
  takeReports(kept, RESULTS);
  return holds;
}

/** @returns whether the machine has said that all has passed */
async function runToEnd(purpose: "tests" | "conformance", files: readonly string[], more: Pick<Disks, "kept"> = {}): Promise<boolean> {
  const longestMs = LONGEST_MS[purpose];
  const disks = { image: image(), tree: tree(), ...more };
  const machine = startMachine(disks, { purpose, files, consolePath: CONSOLE }, ["ignore", "pipe", "inherit"]);
  const deadline = setTimeout(() => {
    console.log(`vm: it is killed, for it was not done within ${longestMs / 1000} s`);
    machine.kill("SIGKILL");
  }, longestMs);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => machine.kill("SIGKILL"));
  let output = "";
  machine.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  await new Promise((resolve, reject) => {
    machine.once("error", reject);
    machine.once("close", resolve);
  });
  clearTimeout(deadline);
  return /^vm: .* ended with exit code 0$/m.test(output);
}

/** The terminal is the machine's; its kernel's console is in a file. */
async function runShell(): Promise<void> {
  const machine = startMachine({ image: image(), tree: tree() }, { purpose: "shell", files: [], consolePath: CONSOLE }, "inherit");
  process.stdin.setRawMode?.(true);
  await new Promise((resolve) => machine.once("close", resolve));
  process.stdin.setRawMode?.(false);
}

mkdirSync(RESULTS, { recursive: true });
mkdirSync(BUILD, { recursive: true });
const [purpose = "tests", ...files] = process.argv.slice(2);
const { CRITEST: critest } = process.env;
if (purpose === "shell") await runShell();
else if (purpose === "conformance" && critest === undefined) {
  console.log("make conformance-vm wants CRITEST=path. How to get it says: make conformance");
  process.exitCode = 2;
} else if (!(await (critest !== undefined && purpose === "conformance" ? runConformance(critest) : runToEnd("tests", files)))) {
  console.log(`vm: the last lines of ${CONSOLE}:`);
  console.log(readFileSync(CONSOLE, "utf8").split("\n").slice(-TOLD_LINES).join("\n"));
  process.exitCode = 1;
}
