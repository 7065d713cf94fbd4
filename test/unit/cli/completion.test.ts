import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { status } from "@grpc/grpc-js";
import { containerWords, plainWords } from "../../../src/cli/completion-names.ts";
import { completionSpecs } from "../../../src/cli/completion-spec.ts";
import { buildProgram } from "../../../src/cli/program.ts";
import { Session, type World } from "../../../src/cli/session.ts";
import { FakeNode } from "./fake-node.ts";

// The node, as our hidden command tells it.
const FAKE_BERTH = `#!/bin/sh
case "$1 $2" in
"__complete pods") printf 'shop\\nshed\\n' ;;
"__complete containers") printf 'shop/web\\nweb\\n' ;;
"__complete images") printf 'reg.example:5000/web:1\\nreg.example:5000/web:2\\n' ;;
esac
`;

interface Bash {
  /** What bash would offer for a command line. */
  complete(line: string): Promise<string[]>;
}

async function bash(t: ExecutionContext): Promise<Bash> {
  const node = await FakeNode.start(t);
  const folder = await mkdtemp(join(tmpdir(), "berth-completion-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const { stdout: script } = await node.berth(["completion", "bash"]);
  await writeFile(join(folder, "script"), script);
  await writeFile(join(folder, "berth"), FAKE_BERTH, { mode: 0o755 });
  await mkdir(join(folder, "files"));
  await writeFile(join(folder, "files", "app.tar"), "");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell
  const ask = 'source ../script; COMP_LINE=$1 COMP_POINT=${#1}; _berth; printf "%s\\n" "${COMPREPLY[@]}"';
  const env = { PATH: `${folder}:${process.env["PATH"]}` };
  return {
    async complete(line) {
      const { stdout, stderr } = await promisify(execFile)("bash", ["--norc", "-c", ask, "bash", line], {
        cwd: join(folder, "files"),
        env,
      });
      t.is(stderr, "");
      return stdout.split("\n").filter((word) => word !== "");
    },
  };
}

test("commands are completed, and the hidden one is not offered", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth st"), ["stats", "stop"]);
  t.true((await complete("berth ")).includes("rmi"));
  t.deepEqual(await complete("berth __"), []);
  t.deepEqual(await complete("berth --socket /x/y pu"), ["pull"]);
});

test("options are completed, and what they may be", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth ps --"), [
    "--pod",
    "--all",
    "--state",
    "--label",
    "--last",
    "--quiet",
    "--no-trunc",
    "--output",
    "--help",
  ]);
  t.deepEqual(await complete("berth ps -o "), ["table", "json", "yaml"]);
  t.deepEqual(await complete("berth ps --output j"), ["json"]);
  t.deepEqual(await complete("berth run --network n"), ["none"]);
  t.deepEqual(await complete("berth run --pod sh"), ["shop", "shed"]);
  t.deepEqual(await complete("berth run --env "), [], "a value that nobody can know");
});

test("names of what is on the node are completed where they belong", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth logs w"), ["web"]);
  t.deepEqual(await complete("berth logs --tail 5 shop/"), ["shop/web"]);
  t.deepEqual(await complete("berth logs web "), [], "there is only one");
  t.deepEqual(await complete("berth rm -f shed s"), ["shop", "shed", "shop/web"]);
  t.deepEqual(await complete("berth timeline she"), ["shed"]);
  t.deepEqual(await complete("berth run -d --name x r"), ["reg.example:5000/web:1", "reg.example:5000/web:2"]);
});

test("after a colon, bash wants what follows it", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth rmi reg.example:5"), ["5000/web:1", "5000/web:2"]);
  t.deepEqual(await complete("berth rmi reg.example:5000/web:1 reg.example:5000/web:"), ["1", "2"]);
});

test("files are completed where a file is meant", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth load a"), ["app.tar"]);
});

test("what belongs to a command in a container is left alone", async (t) => {
  const { complete } = await bash(t);
  t.deepEqual(await complete("berth exec web --"), []);
  t.deepEqual(await complete("berth run -d image -o "), []);
  t.true((await complete("berth run --")).includes("--memory"));
});

test("each command and each of its options is in the scripts of all shells", async (t) => {
  const node = await FakeNode.start(t);
  const specs = completionSpecs(buildProgram(new Session({} as World)));
  t.true(specs.length > 18);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = await node.berth(["completion", shell]);
    const written = (word: string): string => (shell === "fish" ? word.replace(/^--/, "-l ").replace(/^-(\w)$/, "-s $1") : word);
    for (const { name, flags } of specs)
      for (const word of [name, ...flags]) t.true(stdout.includes(written(word)), `${shell}: ${name} ${word}`);
  }
  t.regex((await node.berth(["completion", "zsh"])).stdout, /^#compdef berth\n/);
  t.deepEqual(node.calls, [], "and no node is asked for it");
});

test("names that a shell would not take as one word are not offered", (t) => {
  t.deepEqual(plainWords(["a.example:5000/web:1", "shop", "shop", "$(reboot)", "a b", "-f", "", "x;y"]), ["a.example:5000/web:1", "shop"]);
});

test("containers are offered with their pods, and alone where the name says enough", (t) => {
  const pods = [
    { id: "p1", name: "shop" },
    { id: "p2", name: "bank" },
  ];
  const containers = [
    { id: "c1", podId: "p1", name: "web" },
    { id: "c2", podId: "p2", name: "web" },
    { id: "c3", podId: "p2", name: "db" },
    { id: "c4", podId: "p2", name: "db" },
  ];
  t.deepEqual(containerWords(containers, pods), ["shop/web", "bank/web", "bank/db", "db"]);
});

test("the node's names are printed one a line", async (t) => {
  const node = await FakeNode.start(t);
  node.images.add("a.example/web:1");
  node.addContainer(node.addPod("shop"), "web");
  t.deepEqual(await node.berth(["__complete", "pods"]), { code: 0, stdout: "shop\n", stderr: "" });
  t.is((await node.berth(["__complete", "containers"])).stdout, "shop/web\nweb\n");
  t.is((await node.berth(["__complete", "images"])).stdout, "a.example/web:1\n");
});

test("a failure offers nothing, and is silent", async (t) => {
  const node = await FakeNode.start(t);
  node.failures.set("ListPodSandbox", { code: status.INTERNAL, details: "broken" });
  const nothing = { code: 0, stdout: "", stderr: "" };
  t.deepEqual(await node.berth(["__complete", "pods"]), nothing);
  t.deepEqual(await node.berth(["__complete", "pods", "--socket", "/nowhere"]), nothing);
  t.deepEqual(await node.berth(["__complete", "planets"]), nothing);
});
