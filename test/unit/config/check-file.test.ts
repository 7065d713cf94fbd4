import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { checkFile, type FileProblem } from "../../../src/config/check-file.ts";
import { loadConfig } from "../../../src/config/load.ts";

const program = { programDir: "/opt/berth", version: "1.2.3" };

function file(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "berth.toml");
  writeFileSync(path, text);
  return path;
}

const check = (t: ExecutionContext, text: string): FileProblem[] => checkFile(file(t, text), program);

test("all faults are told, each with its line", (t) => {
  const problems = check(t, '# settings\nlog-level = "loud"\nroot = "/x"\n\nnope = 1\n"bridge" = "a/b"\n[network-mtu]\nx = 1\n');
  t.deepEqual(
    problems.map(({ line }) => line),
    [2, 5, 6, 7],
  );
  t.regex(problems[1]?.message ?? "", /no setting "nope"/);
});

test("what is no TOML is told with the line where it stops", (t) => {
  t.is(check(t, 'root = "/x"\nstate = \n')[0]?.line, 2);
});

test("settings that do not fit each other are one fault, and a good file has none", (t) => {
  t.is(check(t, "image-gc-low-percent = 90\nimage-gc-high-percent = 80\n").length, 1);
  t.deepEqual(check(t, 'root = "/x"\n'), []);
  t.is(checkFile("/nowhere/berth.toml", program)[0]?.line, 0);
});

test("each setting knows where it is from", (t) => {
  const path = file(t, 'bridge = "br1"\n');
  const loaded = loadConfig(["--config", path, "--state", "/run/x"], program);
  const settings = "settings" in loaded ? loaded.settings : [];
  const of = (name: string) => settings.find((each) => each.name === name);
  t.deepEqual(of("bridge"), { name: "bridge", value: "br1", from: `${path}: bridge` });
  t.deepEqual(of("state"), { name: "state", value: "/run/x", from: "--state" });
  t.deepEqual(of("socket"), { name: "socket", value: "/run/x/berth.sock", from: "default" });
});
