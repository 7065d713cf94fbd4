// berth: the command line, with the real terminal, clock and signals.
import { setTimeout } from "node:timers/promises";
import { main } from "../cli/main.ts";
import type { World } from "../cli/session.ts";
import { VERSION } from "./version.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const world: World = {
  version: VERSION,
  stdin: process.stdin,
  stdout: process.stdout,
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
process.stdout.on("error", (failure: NodeJS.ErrnoException) => {
  if (failure.code === "EPIPE") process.exit(0);
  throw failure;
});

process.exit(await main(process.argv.slice(2), world));
