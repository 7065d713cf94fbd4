// Attach: the streams of a container's own process.
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { attachStreams } from "../lib/streams.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

test("a container's input comes from who is attached, and its output goes to him and to the log", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("cat", ["sh", "-c", "while read line; do echo got $line; done"], { stdin: true });
  const { client, stdin, stdout } = await attachStreams(t, container);
  stdin.write("one\n");
  await container.logged(/got one/);
  await node().eventually("it comes to us too", async () => (Buffer.concat(stdout.chunks).toString() === "got one\n" ? true : undefined));
  client.socket.destroy();
  // Who comes later finds the input open.
  const again = await attachStreams(t, container);
  again.stdin.write("two\n");
  await container.logged(/got two/);
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});

test("an input that is asked for once ends with the first who has it, and the exit code comes to him", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("cat", ["sh", "-c", "cat; exit 5"], { stdin: true, stdin_once: true });
  const { stdin, stdout, exitCode } = await attachStreams(t, container);
  stdin.write("all of it");
  stdin.end();
  t.is(await stdout.ended, "all of it");
  t.is(await exitCode(), 5);
  t.is((await container.reached("CONTAINER_EXITED")).exit_code, 5);
  t.deepEqual(await container.log(), ["stdout P all of it"]);
  await pod.remove();
});

test("a container without input reads its end at once", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("cat", ["cat"]);
  t.is((await container.reached("CONTAINER_EXITED")).exit_code, 0);
  await pod.remove();
});

for (const handler of RUNTIMES) {
  test(`a container of ${handler} with a terminal: keys, size and output`, async (t) => {
    const pod = await Pod.run(node(), {}, handler);
    const script = "tty; while read line; do stty size; echo got $line; done";
    const container = await pod.start("shell", ["sh", "-c", script], { stdin: true, tty: true });
    const { stdin, stdout, resize } = await attachStreams(t, container, { tty: true });
    resize.write('{"Width":120,"Height":40}');
    stdin.write("hello\n");
    await node().eventually("it answers", async () =>
      /40 120\r\ngot hello\r\n/.test(Buffer.concat(stdout.chunks).toString()) ? true : undefined,
    );
    t.regex((await container.log()).join("\n"), /got hello/);
    await container.stop();
    await pod.remove();
  });
}

test("two who are attached at the same time see the same", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("cat", ["sh", "-c", "while read line; do echo $line; done"], { stdin: true });
  const [first, second] = [await attachStreams(t, container), await attachStreams(t, container, { stdin: false })];
  // Nobody is told when the second is attached, so there is always more to see.
  await node().eventually("both see it", async () => {
    first.stdin.write("hello\n");
    return [first, second].every(({ stdout }) => Buffer.concat(stdout.chunks).toString().startsWith("hello\n")) ? true : undefined;
  });
  t.pass();
  await pod.remove();
});

test("a container outlives a kill of berthd with its input open", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("cat", ["sh", "-c", "while read line; do echo got $line; done"], { stdin: true });
  const { stdin } = await attachStreams(t, container);
  stdin.write("one\n");
  await container.logged(/got one/);
  await node().crash();
  await node().boot();
  const again = await attachStreams(t, container);
  again.stdin.write("two\n");
  await container.logged(/got two/);
  t.is((await container.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});

test("nobody attaches to a container that does not run", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.create("one", ["true"]);
  t.like(await t.throwsAsync(node().cri.call("Attach", { container_id: container.id, stdout: true })), { code: 9 });
  await pod.remove();
});
