import { readFile } from "node:fs/promises";
import test from "ava";
import { buildProgram } from "../../../src/cli/program.ts";
import { cliPage } from "../../../src/cli/reference-page.ts";
import { goodMachine } from "../../lib/good-machine.ts";
import { Session } from "../../../src/cli/session.ts";

const program = () =>
  buildProgram(
    new Session({
      version: "test",
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      env: {},
      nowMs: () => 0,
      sleep: () => Promise.resolve(),
      onSignal: () => () => {},
      ...goodMachine,
    }),
  );

test("the page of commands is as they say it; `make docs` writes it", async (t) => {
  t.is(await readFile(new URL("../../../docs/cli.md", import.meta.url), "utf8"), cliPage(program()));
});

test("every command that is shown has a description and an example that begins with its name", (t) => {
  const commands = program()
    .commands.map((command) => command.name())
    .filter((name) => !name.startsWith("_"));
  const page = cliPage(program());
  t.true(commands.length > 20);
  for (const name of commands) {
    const section = page.split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    t.regex(section, /\n\n[A-Za-z][^\n]+/, name);
    t.regex(section, new RegExp(`Examples:\n.*berth ${name}\\b`), name);
  }
});
