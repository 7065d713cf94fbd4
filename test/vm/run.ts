// Runs the tests of specs.ts, or the files that are named, in a virtual machine. usage: node test/vm/run.ts [tests [FILE...] | shell]
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startMachine } from "./machine.ts";

const TREE = fileURLToPath(new URL("../..", import.meta.url));
const HERE = join(TREE, "test/vm");
const BUILD = join(TREE, "build/vm");
const CONSOLE = join(TREE, "build/results/vm-console.txt");
const LONGEST_MS = 10 * 60_000;
const TOLD_LINES = 60;

/** The image's folder, made if it is not there. Its name is what goes into it; one that was made of other things goes. */
function image(): string {
  const inputs = ["packages.txt", "make-image.sh", "initramfs.sh"].map((name) => readFileSync(join(HERE, name)));
  const name = `image-${createHash("sha256").update(Buffer.concat(inputs)).digest("hex").slice(0, 12)}`;
  mkdirSync(BUILD, { recursive: true });
  for (const other of readdirSync(BUILD)) if (other !== name) rmSync(join(BUILD, other), { recursive: true });
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

/** @returns whether the machine's tests have passed */
async function runTests(files: readonly string[]): Promise<boolean> {
  const machine = startMachine({ image: image(), tree: tree() }, { purpose: "tests", files, consolePath: CONSOLE }, [
    "ignore",
    "pipe",
    "inherit",
  ]);
  const deadline = setTimeout(() => {
    console.log(`vm: it is killed, for it was not done within ${LONGEST_MS / 1000} s`);
    machine.kill("SIGKILL");
  }, LONGEST_MS);
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
  return /^vm: the tests ended with exit code 0$/m.test(output);
}

/** The terminal is the machine's; its kernel's console is in a file. */
async function runShell(): Promise<void> {
  const machine = startMachine({ image: image(), tree: tree() }, { purpose: "shell", files: [], consolePath: CONSOLE }, "inherit");
  process.stdin.setRawMode?.(true);
  await new Promise((resolve) => machine.once("close", resolve));
  process.stdin.setRawMode?.(false);
}

mkdirSync(join(TREE, "build/results"), { recursive: true });
const [purpose = "tests", ...files] = process.argv.slice(2);
if (purpose === "shell") await runShell();
else if (!(await runTests(files))) {
  console.log(`vm: the last lines of ${CONSOLE}:`);
  console.log(readFileSync(CONSOLE, "utf8").split("\n").slice(-TOLD_LINES).join("\n"));
  process.exitCode = 1;
}
