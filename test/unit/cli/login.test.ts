import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { parseRegistry } from "../../../src/cli/registry-argument.ts";
import { FakeNode } from "./fake-node.ts";

async function start(t: ExecutionContext, config?: unknown): Promise<{ node: FakeNode; file: string }> {
  const node = await FakeNode.start(t);
  node.password = "secret";
  node.env = { DOCKER_CONFIG: join(node.folder, "docker") };
  const file = join(node.folder, "docker", "config.json");
  if (config !== undefined) {
    await mkdir(join(node.folder, "docker"));
    await writeFile(file, typeof config === "string" ? config : JSON.stringify(config), { mode: 0o644 });
  }
  return { node, file };
}

const read = async (file: string) => JSON.parse(await readFile(file, "utf8"));
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Somebody who types at a terminal; what modes it was set to. */
function typing(text: string): { stdin: Readable; modes: boolean[] } {
  const modes: boolean[] = [];
  const setRawMode = (raw: boolean): void => void modes.push(raw);
  return { stdin: Object.assign(new PassThrough().end(text), { isTTY: true, setRawMode }), modes };
}

test("what the registry takes is kept where Docker keeps it, for its owner's eyes only", async (t) => {
  const { node, file } = await start(t, { auths: { "b.example": { auth: "eDp5" } }, psFormat: "table" });
  const { code, stdout, stderr } = await node.berth(
    ["login", "-u", "ci", "--password-stdin", "a.example:5000"],
    Readable.from([Buffer.from("secret\n")]),
  );
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  t.is(stdout, `signed in to a.example:5000 as ci; the password is in ${file}\n`);
  t.deepEqual(await read(file), {
    psFormat: "table",
    auths: { "b.example": { auth: "eDp5" }, "a.example:5000": { auth: base64("ci:secret") } },
  });
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.deepEqual(node.calls, ["CheckCredentials a.example:5000 ci"]);
});

test("what the registry refuses is not kept", async (t) => {
  const { node, file } = await start(t);
  const { code, stderr } = await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"], Readable.from(["wrong"]));
  t.deepEqual({ code, stderr }, { code: 1, stderr: "berth: sign in: HTTP 401\n" });
  await t.throwsAsync(stat(file), { code: "ENOENT" });
});

test("name and password are asked for, and the password is not shown", async (t) => {
  const { node, file } = await start(t);
  const { stdin, modes } = typing("ci\nsecrex\u007ft\r");
  const { code, stderr } = await node.berth(["login", "a.example"], stdin);
  t.is(code, 0, stderr);
  t.is(stderr, "Name: Password: \n");
  t.deepEqual(modes, [true, false]);
  t.deepEqual(await read(file), { auths: { "a.example": { auth: base64("ci:secret") } } });
  t.is((await stat(join(node.folder, "docker"))).mode & 0o777, 0o700);
});

test("Ctrl-C at the password leaves the terminal as it was", async (t) => {
  const { node } = await start(t);
  const { stdin, modes } = typing("sec\u0003");
  t.like(await node.berth(["login", "-u", "ci", "a.example"], stdin), { code: 1, stderr: "Password: \nberth: interrupted\n" });
  t.deepEqual(modes, [true, false]);
  t.deepEqual(node.calls, []);
});

test("where nobody can be asked, it is said what to give", async (t) => {
  const { node } = await start(t);
  t.regex((await node.berth(["login", "a.example"])).stderr, /give -u and --password-stdin/);
  t.is((await node.berth(["login", "--password-stdin", "a.example"])).code, 2);
  t.is((await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"])).code, 2, "an empty password");
  t.is((await node.berth(["login", "a.example/team"])).code, 2);
});

test("a registry that lets everybody in has not checked the password, which is said", async (t) => {
  const { node } = await start(t);
  node.password = "";
  const { code, stderr } = await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"], Readable.from(["x"]));
  t.deepEqual({ code, stderr }, { code: 0, stderr: "berth: a.example lets everybody in, so the password was not checked\n" });
});

test("logout forgets it, under all names that writers have for the registry", async (t) => {
  const { node, file } = await start(t, {
    auths: { "a.example": { auth: "eDp5" }, "https://a.example/v1/": { auth: "eDp5" }, "https://index.docker.io/v1/": { auth: "eDp5" } },
  });
  t.is((await node.berth(["logout", "https://a.example/"])).stdout, "signed out of a.example\n");
  t.deepEqual(Object.keys((await read(file)).auths), ["https://index.docker.io/v1/"]);
  t.is((await node.berth(["logout", "docker.io"])).stdout, "signed out of docker.io\n");
  t.deepEqual((await read(file)).auths, {});
  t.like(await node.berth(["logout", "a.example"]), { code: 0, stdout: "you were not signed in to a.example\n" });
});

test("a file that can't be read is not written over, and not repeated", async (t) => {
  const { node, file } = await start(t, '{"auths": secret');
  const { code, stderr } = await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"], Readable.from(["secret"]));
  t.deepEqual({ code, stderr }, { code: 1, stderr: `berth: read ${file}: it is no JSON\n` });
  t.is(await readFile(file, "utf8"), '{"auths": secret');
  t.is((await node.berth(["pull", "a.example/web:1"])).code, 1);
});

test("a file that is a link stays one", async (t) => {
  const { node, file } = await start(t, {});
  const link = join(node.folder, "link");
  await mkdir(link);
  await symlink(file, join(link, "config.json"));
  node.env = { DOCKER_CONFIG: link };
  t.is((await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"], Readable.from(["secret"]))).code, 0);
  t.deepEqual(Object.keys((await read(file)).auths), ["a.example"]);
});

/** A helper that keeps each secret in a file of its own, and notes what it was asked. */
const HELPER = `#!/bin/sh
cd "\${0%/*}" || exit 1
input=$(cat)
echo "$1 $input" >>asked
case $1 in
store) echo "$input" >kept ;;
get) if [ -f kept ]; then cat kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
erase) rm -f kept ;;
esac
`;

async function withHelper(t: ExecutionContext, config: unknown) {
  const { node, file } = await start(t, config);
  const folder = join(node.folder, "helpers");
  await mkdir(folder);
  await writeFile(join(folder, "docker-credential-box"), HELPER);
  await chmod(join(folder, "docker-credential-box"), 0o755);
  node.env = { ...node.env, PATH: `${folder}:${process.env["PATH"]}` };
  return { node, file, asked: async () => (await readFile(join(folder, "asked"), "utf8")).trim().split("\n"), folder };
}

test("where the file names a helper, the secret is the helper's", async (t) => {
  const { node, file, asked } = await withHelper(t, { credsStore: "box" });
  const { stdout } = await node.berth(["login", "-u", "ci", "--password-stdin", "a.example"], Readable.from(["secret"]));
  t.is(stdout, "signed in to a.example as ci; the password is in docker-credential-box\n");
  t.deepEqual(await read(file), { credsStore: "box", auths: { "a.example": {} } });
  await node.berth(["pull", "-q", "a.example/web:1"]);
  t.true(node.calls.includes("PullImage a.example/web:1 ci|secret|"));
  await node.berth(["logout", "a.example"]);
  await node.berth(["pull", "-q", "a.example/job:1"]);
  t.true(node.calls.includes("PullImage a.example/job:1"));
  t.deepEqual(await asked(), [
    'store {"ServerURL":"a.example","Username":"ci","Secret":"secret"}',
    "get a.example",
    "erase a.example",
    "get a.example",
  ]);
});

test("a helper may be one registry's, and may have a token", async (t) => {
  const { node, asked, folder } = await withHelper(t, { credHelpers: { "a.example": "box" } });
  await writeFile(join(folder, "kept"), '{"Username":"<token>","Secret":"abc"}');
  for (const registry of ["a.example", "b.example"]) await node.berth(["pull", "-q", `${registry}/web:1`]);
  t.deepEqual(
    node.calls.filter((call) => !call.endsWith("cancelled")),
    ["PullImage a.example/web:1 ||abc", "PullImage b.example/web:1"],
  );
  t.deepEqual(await asked(), ["get a.example"]);
});

test("a helper that is not there, fails or has another name than one is told without its words", async (t) => {
  const { node, folder } = await withHelper(t, { credHelpers: { "a.example": "none", "b.example": "../box", "c.example": "box" } });
  await writeFile(join(folder, "docker-credential-box"), "#!/bin/sh\necho the secret; exit 3\n");
  const failure = async (image: string) => (await node.berth(["pull", image])).stderr;
  t.regex(await failure("a.example/x"), /^berth: run docker-credential-none get: .*ENOENT\n/);
  t.is(await failure("b.example/x"), 'berth: run credential helper "../box": that is no name of one\n');
  t.is(await failure("c.example/x"), "berth: run docker-credential-box get: it failed with code 3\n");
  t.deepEqual(node.calls, []);
});

test("a registry is what people write for it", (t) => {
  t.deepEqual(["a.example:5000", "https://a.example/", "http://a.example/v2/", "index.docker.io", "docker.io"].map(parseRegistry), [
    "a.example:5000",
    "a.example",
    "a.example",
    "docker.io",
    "docker.io",
  ]);
  for (const text of ["", "a.example/team", "me@a.example", "a b"]) t.throws(() => parseRegistry(text));
});
