import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadConfig } from "../../../src/config/load.ts";
import type { Config } from "../../../src/config/table.ts";

const program = { programDir: "/opt/berth", version: "1.2.3" };

function load(...argv: string[]): Config {
  const loaded = loadConfig(argv, program);
  if ("text" in loaded) throw new Error("it printed something");
  return loaded.config;
}

function file(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "berth.toml");
  writeFileSync(path, text);
  return path;
}

test("sockets follow the state folder, and programs stand beside berthd", (t) => {
  const config = load("--config", "/dev/null", "--state", "/run/other");
  t.is(config.socket, "/run/other/berth.sock");
  t.is(config.helperSocket, "/run/other/helper.sock");
  t.is(config.helperPath, "/opt/berth/berth-helper");
});

test("the command line wins over the file, and the file over the default", (t) => {
  const path = file(t, 'root = "/data"\nlog-level = "debug"\nnetwork-mtu = 1400\n');
  const config = load("--config", path, "--log-level", "warn");
  t.is(config.root, "/data");
  t.is(config.networkMtu, 1400);
  t.is(config.logLevel, "warn");
  t.is(config.podSubnet, "10.88.0.0/16");
});

test("OCI runtimes of further handlers are named with their programs", (t) => {
  t.deepEqual(load("--config", "/dev/null", "--runtimes", "youki=/usr/bin/youki, other=env A=b  runsc --debug ").moreRuntimes, {
    youki: { program: "/usr/bin/youki", args: [] },
    other: { program: "env", args: ["A=b", "runsc", "--debug"] },
  });
  t.deepEqual(load("--config", "/dev/null").moreRuntimes, {});
  for (const bad of ["youki", "=/usr/bin/youki", "Bad_Name=/x", "a=", "a= /x"]) {
    t.throws(
      () => load("--config", "/dev/null", "--runtimes", bad),
      { message: /read --runtimes: .* is no handler with its program/ },
      bad,
    );
  }
});

test("one path has one spelling", (t) => {
  t.is(load("--config", "/dev/null", "--root", "/a//b/").root, "/a/b");
});

for (const [what, argv, named] of [
  ["a flag that does not exist", ["--no-such"], /no-such/],
  ["a path that is not absolute", ["--root", "lib"], /--root.*lib/],
  ["a level that does not exist", ["--log-level", "loud"], /--log-level.*loud/],
  ["a packet that is too large", ["--network-mtu", "70000"], /--network-mtu.*70000/],
  ["a mode that is none", ["--socket-mode", "999"], /--socket-mode.*999/],
  ["a bridge with a blank", ["--bridge", "a b"], /--bridge.*a b/],
] as const) {
  test(`${what} is refused, by its name`, (t) => {
    const failure = t.throws(() => load("--config", "/dev/null", ...argv));
    t.like(failure, { kind: "invalid-argument" });
    t.regex(String(failure?.message), named);
  });
}

for (const [what, text, named] of [
  ["a setting that does not exist", 'colour = "blue"', /colour/],
  ["a table where a value is due", "[root]\na = 1", /root/],
  ["no TOML", "root = ", /berth\.toml/],
] as const) {
  test(`a file with ${what} is refused`, (t) => {
    const failure = t.throws(() => load("--config", file(t, text)));
    t.like(failure, { kind: "invalid-argument" });
    t.regex(String(failure?.message), named);
  });
}

test("a file that was named and is not there is refused", (t) => {
  t.like(
    t.throws(() => load("--config", "/no/such/file")),
    { kind: "invalid-argument" },
  );
});

test("images are collected from a high threshold to a lower one, and not at all unless it is asked for", (t) => {
  t.like(load("--config", "/dev/null"), { imageGcHighPercent: 100, imageGcLowPercent: 80, imageGcMinAgeSeconds: 120 });
  t.throws(() => load("--config", "/dev/null", "--image-gc-high-percent", "80"), {
    message: "read image-gc-low-percent: 80 is not less than image-gc-high-percent, 80",
  });
  t.throws(() => load("--config", "/dev/null", "--image-gc-high-percent", "101"), { message: /101/ });
});
