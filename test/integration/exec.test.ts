// Exec with streams: a command that somebody uses now.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import test from "ava";
import { ChannelClient } from "../lib/channel-client.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { execStreams } from "../lib/streams.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

for (const handler of RUNTIMES) {
  test(`a command of ${handler} reads its input to the end, writes both outputs, and tells its exit code`, async (t) => {
    const pod = await Pod.run(node(), {}, handler);
    const container = await pod.start("one", ["sleep", "1000"]);
    const { stdin, stdout, stderr, exitCode } = await execStreams(t, container, ["sh", "-c", "cat; echo err >&2; exit 7"]);
    stdin.write("hello ");
    stdin.write("world");
    stdin.end();
    t.is(await stdout.ended, "hello world");
    t.is(await stderr.ended, "err\n");
    t.is(await exitCode(), 7);
    await pod.remove();
  });

  test(`a command of ${handler} with a terminal has one, of the client's size`, async (t) => {
    const pod = await Pod.run(node(), {}, handler);
    const container = await pod.start("one", ["sleep", "1000"]);
    const streams = await execStreams(t, container, ["sh", "-c", "tty; echo $TERM; read line; stty size; exit 3"], { tty: true });
    streams.resize.write('{"Width":101,"Height":37}');
    // The size is there before the line is: both go the same way.
    streams.stdin.write("go\n");
    const output = await streams.stdout.ended;
    // What is typed is echoed, somewhere among the answers.
    t.is(output.replace("go\r\n", ""), "/dev/pts/0\r\nxterm\r\n37 101\r\n");
    t.is(await streams.exitCode(), 3);
    await pod.remove();
  });
}

test("a terminal's keys reach the program as signals", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdin, exitCode } = await execStreams(t, container, ["sleep", "1000"], { tty: true });
  stdin.write("\x03");
  t.is(await exitCode(), 130);
  await pod.remove();
});

test("a command that is not there is told with its reason", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { exitCode } = await execStreams(t, container, ["/no/such/command"]);
  await t.throwsAsync(exitCode(), { message: /exec in container .*\/no\/such\/command|no such file/i });
  await pod.remove();
});

test("a command whose client goes away is ended, with its children", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { client, stdout } = await execStreams(t, container, ["sh", "-c", "sleep 7777 & echo started; wait"]);
  await node().eventually("it has started", async () => (stdout.chunks.length > 0 ? true : undefined));
  client.socket.destroy();
  await node().eventually("no process of it is left", async () => ((await container.output("ps")).includes("7777") ? undefined : true));
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});

test("output of any length comes whole, however slowly it is read", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout, exitCode } = await execStreams(t, container, ["dd", "if=/dev/zero", "bs=1M", "count=64"], { stdin: false });
  t.is(await exitCode(), 0);
  await stdout.ended;
  t.is(
    stdout.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    64 * 1024 * 1024,
  );
  await pod.remove();
});

test("a command whose client reads nothing waits, and others go on", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { url } = await node().cri.call<{ url: string }>("Exec", {
    container_id: container.id,
    cmd: ["sh", "-c", "echo $$ > /tmp/writer; exec yes"],
    stdout: true,
  });
  const client = await ChannelClient.connect(url, ["v5.channel.k8s.io"]);
  client.socket.pause();
  const pid = await node().eventually("it writes", async () => (await container.output("cat", "/tmp/writer").catch(() => "")) || undefined);
  // Blocked in a write to a pipe that nobody empties.
  await node().eventually("it waits", async () => (/^S/m.test(await container.output("cat", `/proc/${pid}/status`)) ? true : undefined));
  t.is(await container.output("echo", "well"), "well");
  client.socket.terminate();
  await pod.remove();
});

test("version 5 of the protocol closes the input alone", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { url } = await node().cri.call<{ url: string }>("Exec", {
    container_id: container.id,
    cmd: ["wc", "-c"],
    stdin: true,
    stdout: true,
  });
  const client = await ChannelClient.connect(url, ["v5.channel.k8s.io"]);
  client.send(0, "12345");
  client.send(255, Buffer.of(0));
  t.is(await client.closed, 1000);
  t.is(client.received(1).trim(), "5");
  await pod.remove();
});

test("a thousand tickets wait for their clients, one more is refused, and one that is used makes room", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const ticket = () => node().cri.call<{ url: string }>("Exec", { container_id: container.id, cmd: ["true"], stdout: true });
  const [used] = await Promise.all(Array.from({ length: 1000 }, ticket));
  t.like(await t.throwsAsync(ticket()), { code: 8 });
  t.is((await fetch(used?.url ?? "")).status, 400);
  t.is((await fetch(used?.url ?? "")).status, 404);
  await t.notThrowsAsync(ticket());
  // They end with berthd, and not only after a minute.
  await node().crash();
  await node().boot();
  await t.notThrowsAsync(ticket());
  await pod.remove();
});

for (const [what, request, code] of [
  ["no stream at all", { stdout: false }, 3],
  ["a terminal and a stream for errors", { tty: true, stderr: true }, 3],
  ["no command", { cmd: [] }, 3],
  ["an unknown container", { container_id: "0".repeat(64) }, 5],
] as const) {
  test(`an exec with ${what} is refused before there is a ticket`, async (t) => {
    const pod = await Pod.run(node());
    const container = await pod.start("one", ["sleep", "1000"]);
    const whole = { container_id: container.id, cmd: ["true"], stdout: true, ...request };
    t.like(await t.throwsAsync(node().cri.call("Exec", whole)), { code });
    await pod.remove();
  });
}

test("input that a command does not read waits with its client, also while the command writes", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { client, stdin, stdout } = await execStreams(t, container, ["cat", "/dev/zero"]);
  const [piece, pieces] = [Buffer.alloc(64 * 1024), 512];
  for (let count = 0; count < pieces; count++) stdin.write(piece);
  let bytes = 0;
  await node().eventually("as much has come as could have gone", async () => {
    for (const chunk of stdout.chunks.splice(0)) bytes += chunk.length;
    return bytes > 2 * pieces * piece.length ? true : undefined;
  });
  const rssKib = Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${await shimOf(pod)}/status`, "utf8"))?.[1]);
  t.true(rssKib < 8 * 1024, `the shim has ${rssKib} KiB`);
  client.socket.destroy();
  await pod.remove();
});

test("a shim has more sessions than the descriptors that its programs may have", async (t) => {
  const [few, many] = [64, 100];
  const helper = String(await node().helperPid());
  const given = /Max open files\s+(\d+)/.exec(await readFile(`/proc/${helper}/limits`, "utf8"))?.[1] ?? "";
  execFileSync("prlimit", ["--pid", helper, `--nofile=${few}:`]);
  const pod = await Pod.run(node()).finally(() => execFileSync("prlimit", ["--pid", helper, `--nofile=${given}:`]));
  const container = await pod.start("one", ["sleep", "1000"]);
  const sockets = await readdir(join(node().state, "s"));
  const socket = join(node().state, "s", sockets.find((name) => pod.id.startsWith(name)) ?? "");
  const sessions = Array.from({ length: many }, () => connect(socket));
  const end = () => {
    for (const session of sessions) session.destroy();
  };
  t.teardown(end);
  await Promise.all(sessions.map((session) => once(session, "connect")));
  const shim = await shimOf(pod);
  await node().eventually("it has them", async () => ((await readdir(`/proc/${shim}/fd`)).length > many ? true : undefined));
  t.is(await container.output("sh", "-c", "ulimit -n"), String(few));
  end();
  await pod.remove();
});

async function shimOf(pod: Pod): Promise<number> {
  return Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
}
