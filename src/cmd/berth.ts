// berth: the command line, with the real terminal, clock and signals.
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readFacts } from "../cli/doctor/read-facts.ts";
import { main } from "../cli/main.ts";
import type { World } from "../cli/session.ts";
import type { Terminal } from "../cli/terminal.ts";
import { checkFile } from "../config/check-file.ts";
import { loadConfig } from "../config/load.ts";
import { DIRECT, findOwnRuntime } from "./oci-runtimes.ts";
import { VERSION } from "./version.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const { stdin, stdout } = process;

const terminal: Terminal = {
  size: () => ({ width: stdout.columns, height: stdout.rows }),
  onResize(listener) {
    stdout.on("resize", listener);
    return () => stdout.off("resize", listener);
  },
  setRaw: (isRaw) => void stdin.setRawMode(isRaw),
};
const program = { programDir: dirname(fileURLToPath(import.meta.url)), version: VERSION };

const world: World = {
  nodeSettings(file) {
    const loaded = loadConfig(file === undefined ? [] : ["--config", file], program);
    if (!("config" in loaded)) throw new Error("the settings are not there");
    const { helperPath, shimPath, ...config } = loaded.config;
    return { ...config, programs: [helperPath, shimPath], ownRuntime: { name: DIRECT, path: findOwnRuntime(shimPath) } };
  },
  readFacts: (settings) => readFacts(settings, Date.now()),
  checkConfig: (file) => checkFile(file, program),
  version: VERSION,
  stdin,
  stdout,
  ...(stdin.isTTY && stdout.isTTY && { terminal }),
  stderr: process.stderr,
  env: process.env,
  nowMs: () => Date.now(),
  sleep: (ms, until) => setTimeout(ms, undefined, until === undefined ? {} : { signal: until }).catch(() => {}),
  onSignal(handle) {
    for (const signal of SIGNALS) process.on(signal, handle);
    return () => {
      for (const signal of SIGNALS) process.off(signal, handle);
    };
  },
};

// Whoever read our output has seen enough, as `head` does.
stdout.on("error", (failure: NodeJS.ErrnoException) => {
  if (failure.code === "EPIPE") process.exit(0);
  throw failure;
});

process.exit(await main(process.argv.slice(2), world));
