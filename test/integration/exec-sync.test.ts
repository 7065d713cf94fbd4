// ExecSync: one command beside the container's process, to its end.
import test from "ava";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

test("both streams and the exit code come back", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout, stderr, exit_code } = await container.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  t.deepEqual({ stdout: stdout.toString(), stderr: stderr.toString(), exit_code }, { stdout: "out\n", stderr: "err\n", exit_code: 3 });
  await pod.remove();
});

test("a command that takes too long is killed with its children, and the error says so", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const failure = await t.throwsAsync(container.exec(["sh", "-c", "sleep 4321 & sleep 4321"], 1));
  t.like(failure, { code: 4 });
  t.regex(String(failure?.message), /timed out/);
  await node().eventually("no such process is left", async () => ((await container.output("ps")).includes("4321") ? undefined : true));
  await pod.remove();
});

test("a child that keeps the pipe does not hold up the answer", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout } = await container.exec(["sh", "-c", "sleep 1000 & echo done"]);
  t.is(stdout.toString(), "done\n");
  await pod.remove();
});

test("what is over 16 MiB is thrown away, and the command still ends", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const { stdout, exit_code } = await container.exec(["dd", "if=/dev/zero", "bs=1M", "count=20"]);
  t.is(exit_code, 0);
  t.is(stdout.length, 16 * 1024 * 1024);
  await pod.remove();
});

test("many at once each get their own answer", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  const answers = await Promise.all(Array.from({ length: 16 }, (_, index) => container.output("echo", String(index))));
  t.deepEqual(
    answers,
    Array.from({ length: 16 }, (_, index) => String(index)),
  );
  await pod.remove();
});

for (const [what, command, code] of [
  ["a command that is not there", ["/no/such/command"], 3],
  ["no command", [], 3],
] as const) {
  test(`${what} is an invalid argument`, async (t) => {
    const pod = await Pod.run(node());
    const container = await pod.start("one", ["sleep", "1000"]);
    t.like(await t.throwsAsync(container.exec(command)), { code });
    await pod.remove();
  });
}
