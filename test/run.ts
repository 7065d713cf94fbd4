// Runs every check and test in order, and ends with one line: "N passed, N failed". A skipped test counts as failed.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { kernelObjects } from "./lib/kernel.ts";
import { type Counts, countsOfAva, countsOfCargo, countsOfConformance, failuresOfAva, failuresOfCargo } from "./lib/runner-output.ts";

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Of what the command printed; without it the step counts as one test. */
  readonly count?: (output: string) => Counts;
  /** What failed, and in which words; a step without it is named itself. */
  readonly failures?: (output: string) => readonly string[];
  /** runs only when it is named */
  readonly onDemand?: boolean;
}

const RESULTS = "build/results";
const LEFT_WITHIN_MS = 5000;
const MOST_TOLD = 100;
const MOST_TOLD_OF_STEP = 15;

/** Of all steps. They are told once more at the end, for that is what is looked at. */
const failures: string[] = [];

// Mounts are shared among the run's own mount namespaces, as on a host with systemd, and private towards the machine.
const SET_UP = 'mount --make-rshared / && ip link set lo up && exec "$@"';
const IN_NAMESPACES = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", SET_UP, "sh"];

const STEPS: readonly Step[] = [
  { name: "types", command: ["make", "--no-print-directory", "check-types"] },
  { name: "lint and format", command: ["make", "--no-print-directory", "check-lint"] },
  { name: "unused exports", command: ["make", "--no-print-directory", "check-exports"] },
  { name: "clippy and format of native code", command: ["make", "--no-print-directory", "check-clippy"] },
  {
    name: "native tests",
    command: ["make", "--no-print-directory", "check-native-tests"],
    count: countsOfCargo,
    failures: failuresOfCargo,
  },
  { name: "unit tests", command: ["ava"], count: countsOfAva, failures: failuresOfAva },
  {
    name: "integration tests",
    command: [...IN_NAMESPACES, "ava", "--config", "ava.integration.config.js"],
    count: countsOfAva,
    failures: failuresOfAva,
  },
  { name: "virtual machine", command: ["node", "test/vm/run.ts"], count: countsOfAva, failures: failuresOfAva },
  {
    name: "conformance",
    // Specs leave shared memory behind, which goes with its namespace.
    command: ["unshare", "--ipc", ...IN_NAMESPACES, "node", "test/conformance/run.ts"],
    count: countsOfConformance,
    onDemand: true,
  },
  {
    name: "conformance in the virtual machine",
    command: ["node", "test/vm/run.ts", "conformance"],
    count: countsOfConformance,
    onDemand: true,
  },
  { name: "crash campaign", command: [...IN_NAMESPACES, "node", "test/crash/campaign.ts"], onDemand: true },
];

async function run({ name, command, count, failures: failuresOf }: Step): Promise<Counts> {
  console.log(`\n==> ${name}`);
  const startedAtMs = performance.now();
  const { output, ok } = await follow(command);
  writeFileSync(`${RESULTS}/${name.replaceAll(" ", "-")}.txt`, output);
  const counted = count?.(output) ?? { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
  // A runner that ends badly has failed, also when it counted no failure (it crashed, or ran nothing).
  const counts = ok || counted.failed > 0 ? counted : { ...counted, failed: 1 };
  const nothing = count !== undefined && counts.passed + counts.failed === 0;
  console.log(
    `    ${counts.passed} passed, ${nothing ? 1 : counts.failed} failed, ${Math.round((performance.now() - startedAtMs) / 1000)} s`,
  );
  if (nothing || counts.failed > 0) {
    const told = failuresOf?.(output) ?? [];
    failures.push(
      ...(told.length > 0 ? told : [output.split("\n").slice(-MOST_TOLD_OF_STEP).join("\n")]).map((words) => `${name}: ${words}`),
    );
  }
  return nothing ? { passed: 0, failed: 1 } : counts;
}

function follow([program = "", ...args]: readonly string[]): Promise<{ output: string; ok: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1", CI: "true" } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        process.stdout.write(text);
      });
    }
    child.once("error", (failure) => resolve({ output: `${output}${failure.message}\n`, ok: false }));
    child.once("close", (code, signal) => {
      // A runner that is killed tells nothing itself.
      if (code !== 0) console.log(`    ${program} ended with ${signal ?? `exit code ${code}`}`);
      resolve({ output, ok: code === 0 });
    });
  });
}

/** Processes need a moment to be reaped; after it the kernel must be as it was. */
async function nothingIsLeft(before: readonly string[]): Promise<Counts> {
  console.log("\n==> what is left on this machine");
  const known = new Set(before);
  let left: string[];
  for (const deadline = performance.now() + LEFT_WITHIN_MS; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const now = kernelObjects();
    const still = new Set(now);
    left = [
      ...now.filter((line) => !known.has(line)).map((line) => `new: ${line}`),
      ...before.filter((line) => !still.has(line)).map((line) => `gone: ${line}`),
    ];
    if (left.length === 0 || performance.now() > deadline) break;
  }
  for (const line of left.slice(0, MOST_TOLD)) console.log(`    ${line}`);
  console.log(left.length === 0 ? "    nothing" : `    ${left.length} objects`);
  if (left.length > 0) failures.push(`left on this machine: ${left.length} objects, such as ${left[0]}`);
  return { passed: left.length === 0 ? 1 : 0, failed: left.length === 0 ? 0 : 1 };
}

if (process.getuid?.() !== 0) throw new Error("the tests make namespaces and cgroups: run them as root");
mkdirSync(RESULTS, { recursive: true });
const wanted = process.argv.slice(2);
const before = kernelObjects();
let [passed, failed] = [0, 0];
for (const step of STEPS.filter(({ name, onDemand }) => (wanted.length === 0 ? onDemand !== true : wanted.includes(name)))) {
  const counts = await run(step);
  passed += counts.passed;
  failed += counts.failed;
}
const left = await nothingIsLeft(before);
passed += left.passed;
failed += left.failed;
for (const words of failures.slice(0, MOST_TOLD)) console.log(`\n✘ ${words}`);
const summary = `${passed} passed, ${failed} failed`;
writeFileSync(`${RESULTS}/summary.txt`, `${summary}\n`);
console.log(`\n${summary}`);
process.exitCode = failed === 0 ? 0 : 1;
