// Writes docs/cli.md, the page of all commands of berth. usage: node deploy/cli-page.ts FILE
import { writeFile } from "node:fs/promises";
import { buildProgram } from "../src/cli/program.ts";
import { cliPage } from "../src/cli/reference-page.ts";
import { goodMachine } from "../test/lib/good-machine.ts";
import { Session } from "../src/cli/session.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("name the file to write");
const world = {
  version: "",
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: {},
  nowMs: () => Date.now(),
  sleep: () => Promise.resolve(),
  onSignal: () => () => {},
  ...goodMachine,
};
await writeFile(file, cliPage(buildProgram(new Session(world))));
