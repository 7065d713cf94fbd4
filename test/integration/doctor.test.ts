// What the command line finds out about this very machine, and about the settings of a real node.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { berthOf } from "../lib/berth.ts";
import { TestNode } from "../lib/node.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t, { withImage: false, flags: ["--log-level", "debug"] }));
const { berth, succeeds } = berthOf(node);

interface Check {
  readonly check: string;
  readonly verdict: string;
  readonly found: string;
}

test("a machine on which a node runs has what a node needs", async (t) => {
  const file = join(node().folder, "good.toml");
  writeFileSync(file, `root = "${node().root}"\nstate = "${node().state}"\n`);
  const { stdout } = await berth("doctor", "--config", file, "-o", "json");
  const checks: Check[] = JSON.parse(stdout);
  const verdict = (name: string): string | undefined => checks.find(({ check }) => check === name)?.verdict;
  for (const name of [
    "user",
    "kernel",
    "overlayfs",
    "seccomp",
    "nftables",
    "OCI runtime",
    "programs of Berth",
    "paths",
    "pod-subnet",
    "time",
  ])
    t.is(verdict(name), "ok", name);
  t.is(verdict("another berthd"), "warning");
  t.regex(checks.find(({ check }) => check === "OCI runtime")?.found ?? "", /crun version/);
});

test("a subnet that another link has is found, and ends with 1", async (t) => {
  const file = join(node().folder, "clash.toml");
  writeFileSync(file, 'bridge = "other0"\n');
  const { code, stdout } = await berth("doctor", "--config", file);
  t.is(code, 1);
  t.regex(stdout, /^pod-subnet +error +10\.88\.0\.0\/16 is reached by berth0 already/m);
});

test("settings are told as the node was started with them", async (t) => {
  const settings = JSON.parse(await succeeds("config", "-o", "json"));
  const of = (name: string) => settings.find((each: { name: string }) => each.name === name);
  t.deepEqual(of("root"), { name: "root", value: node().root, from: "--root" });
  t.deepEqual(of("log-level"), { name: "log-level", value: "debug", from: "--log-level" });
  t.deepEqual(of("bridge"), { name: "bridge", value: "berth0", from: "default" });
});

test("a file is checked by the rules that berthd starts by", async (t) => {
  const file = join(node().folder, "bad.toml");
  writeFileSync(file, 'root = "/x"\nlog-level = "loud"\nnope = true\n');
  const { code, stdout } = await berth("config", "--check", file);
  t.is(code, 1);
  t.regex(stdout, new RegExp(`^${file}:2: log-level: "loud" is not one of .*\n${file}:3: there is no setting "nope"\n$`));
});
