// Judges a node by the CRI's own tools: critest, its validation suite, and crictl. Neither is part of this repository.
// Usage, through make: CRITEST=path CRICTL=path [PARTS="spdy websocket parallel smoke benchmark"] [FOCUS=regexp] make conformance
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { compiled } from "../lib/c-program.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import { TestNode } from "../lib/node.ts";
import { DockerRegistry } from "../lib/registry.ts";
import type { Teardown } from "../lib/teardown.ts";
import { crictlSmoke } from "./crictl-smoke.ts";
import { conformanceImages, MIRRORED } from "./images.ts";
import { pushImage } from "./push-image.ts";
import { runBenchmark, runCritest } from "./run-critest.ts";

const HOW_TO_GET_THEM = `make conformance needs the programs that judge: give CRITEST=path, CRICTL=path or both.
Both are of https://github.com/kubernetes-sigs/cri-tools, with its dependencies in its tree. In a copy of it, with Go:
  make crictl critest                                       (build/bin/…)
  go build -mod=vendor ./vendor/github.com/onsi/ginkgo/v2/ginkgo   (for PARTS=parallel; beside critest or in PATH)`;
const WEBSOCKET = ["-websocket-exec", "-websocket-attach", "-websocket-portforward"];
const PARALLEL_RUNS = 5;
const BENCHMARK_ROUNDS = 20;
const RESULTS = resolve("build/results/conformance");

const { CRITEST: critest, CRICTL: crictl, PARTS, FOCUS } = process.env;

const steps: (() => Promise<void> | void)[] = [];
const t: Teardown = { teardown: (step) => steps.unshift(step) };

async function judge(): Promise<boolean> {
  const parts = new Set((PARTS ?? "spdy websocket smoke benchmark").split(" "));
  const folder = await temporaryFolder(t);
  const node = await TestNode.start(t, { withImage: false });
  await chmod(node.folder, 0o711); // pods with a user namespace have to pass through
  await serveImages(node);
  // critest makes its folders, logs and mounts there.
  process.env["TMPDIR"] = folder;
  await mkdir(RESULTS, { recursive: true });
  let holds = true;
  if (critest !== undefined) {
    process.env["PATH"] = `${dirname(resolve(critest))}:${process.env["PATH"]}`;
    const target = { critest: resolve(critest), socket: node.socket, results: RESULTS };
    const focus = FOCUS === undefined ? [] : [`-ginkgo.focus=${FOCUS}`];
    if (parts.has("spdy")) holds = (await runCritest(target, "spdy", focus)) && holds;
    if (parts.has("websocket")) holds = (await runCritest(target, "websocket", [...focus, ...WEBSOCKET])) && holds;
    for (let run = 1; parts.has("parallel") && run <= PARALLEL_RUNS; run++)
      holds = (await runCritest(target, `parallel-${run}`, [...focus, "-parallel=2"])) && holds;
    if (parts.has("benchmark")) holds = (await runBenchmark(target, BENCHMARK_ROUNDS)) && holds;
  }
  if (crictl !== undefined && parts.has("smoke")) holds = (await crictlSmoke(resolve(crictl), node.socket, folder)) && holds;
  return holds;
}

async function serveImages(node: TestNode): Promise<void> {
  const registry = await DockerRegistry.start(t);
  const programs = await readFile(await compiled(t, "../conformance/programs.c"));
  for (const image of conformanceImages(programs)) await pushImage(registry, image);
  for (const name of MIRRORED) {
    await mkdir(join(node.registryConfigDir, name), { recursive: true });
    // Its server, too, or what is not there would be asked of the public registry.
    const hosts = `server = "http://${registry.address}"\n`;
    await writeFile(join(node.registryConfigDir, name, "hosts.toml"), hosts);
  }
}

if (critest === undefined && crictl === undefined) {
  console.log(HOW_TO_GET_THEM);
  process.exitCode = 2;
} else {
  try {
    if (!(await judge())) process.exitCode = 1;
  } finally {
    for (const step of steps) await step();
  }
}
