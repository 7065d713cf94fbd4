// Runs critest against a node: the whole suite, a part of it, or its benchmark.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { PATIENCE } from "../lib/patience.ts";
import { readReport, reportText, type Suite } from "./report.ts";

const TIMEOUT_MINUTES = 20 * PATIENCE;
// It names an image by a digest whose bytes only the public registry has.
const NOT_HERE = "public image with digest should be pulled";
const BENCHMARK_IMAGE = "public.ecr.aws/docker/library/busybox:1.35.0-glibc";

interface Target {
  readonly critest: string;
  /** of berthd */
  readonly socket: string;
  /** what is left behind for people: report and output of each run */
  readonly results: string;
}

/** @param flags more of critest's own @returns whether nothing failed */
export async function runCritest({ critest, socket, results }: Target, name: string, flags: readonly string[]): Promise<boolean> {
  const report = join(results, `${name}.json`);
  await rm(report, { force: true });
  const ginkgo = [`-ginkgo.timeout=${TIMEOUT_MINUTES}m`, "-ginkgo.no-color", `-ginkgo.json-report=${report}`, `-ginkgo.skip=${NOT_HERE}`];
  const startedAtMs = performance.now();
  const { code, output } = await follow(
    critest,
    ["-runtime-endpoint", `unix://${socket}`, "-config", "/dev/null", ...ginkgo, ...flags],
    join(results, `${name}.txt`),
  );
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  const read = await readFile(report, "utf8").catch(() => undefined);
  if (read === undefined) {
    console.log(`critest ${name}: it ended with ${code} and left no report\n${output.slice(-2000)}`);
    return false;
  }
  console.log(`critest ${name} (${seconds} s by the clock): ${reportText(readReport(JSON.parse(read) as Suite[]))}`);
  return code === 0;
}

/** Prints the median of each operation. @param rounds of each, one at a time */
export async function runBenchmark({ critest, socket, results }: Target, rounds: number): Promise<boolean> {
  const folder = join(results, "benchmark");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const parameters = ["containers", "pods", "images"].flatMap((what) => [
    `${what}Number: ${rounds}`,
    `${what}NumberParallel: 1`,
    `${what.slice(0, -1)}BenchmarkTimeoutSeconds: 60`,
  ]);
  parameters.push(`imagePullingBenchmarkImage: ${BENCHMARK_IMAGE}`, "podContainerStartBenchmarkTimeoutSeconds: 5");
  const file = join(folder, "parameters.yaml");
  await writeFile(file, `${parameters.join("\n")}\n`);
  const flags = ["-benchmark", "-benchmarking-params-file", file, "-benchmarking-output-dir", folder, "-ginkgo.no-color"];
  const { code } = await follow(
    critest,
    ["-runtime-endpoint", `unix://${socket}`, "-config", "/dev/null", ...flags],
    join(results, "benchmark.txt"),
  );
  console.log(`critest benchmark, ${rounds} rounds, ms\n${"operation".padEnd(24)}   median      min      p90`);
  for (const name of (await readdir(folder)).filter((each) => each.endsWith("_data.json")).sort()) {
    const data: unknown = JSON.parse(await readFile(join(folder, name), "utf8"));
    for (const line of operations(data as Datapoints)) console.log(line);
  }
  return code === 0;
}

interface Datapoints {
  readonly operationsNames: readonly string[];
  readonly datapoints: readonly { readonly operationsDurationsNs: readonly number[] }[];
}

function operations({ operationsNames, datapoints }: Datapoints): string[] {
  return operationsNames.map((operation, at) => {
    const sorted = datapoints.map(({ operationsDurationsNs }) => (operationsDurationsNs[at] ?? 0) / 1e6).sort((a, b) => a - b);
    const quantile = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
    const figures = [quantile(0.5), quantile(0), quantile(0.9)].map((ms) => ms.toFixed(1).padStart(9)).join("");
    return `${operation.padEnd(24)}${figures}`;
  });
}

/** @param copy gets the output as it comes, so that a run that is killed leaves what it has said */
async function follow(program: string, args: readonly string[], copy: string): Promise<{ code: number | null; output: string }> {
  const file = createWriteStream(copy);
  const parts: Buffer[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (part: Buffer) => {
        parts.push(part);
        file.write(part);
      });
    child.once("error", reject);
    child.once("close", resolve);
  });
  file.end();
  await finished(file);
  return { code, output: Buffer.concat(parts).toString() };
}
