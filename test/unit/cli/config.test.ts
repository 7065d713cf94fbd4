import test from "ava";
import { FakeNode } from "./fake-node.ts";

test("settings are listed with where they are from", async (t) => {
  const node = await FakeNode.start(t);
  t.regex((await node.berth(["config"])).stdout, /^root +\/var\/lib\/berth +default$/m);
  t.deepEqual(JSON.parse((await node.berth(["config", "-o", "json"])).stdout), [
    { name: "root", value: "/var/lib/berth", from: "default" },
  ]);
});

test("a file is checked without a node, and each fault has its line", async (t) => {
  const node = await FakeNode.start(t);
  t.deepEqual(await node.berth(["config", "--check", "/etc/b.toml"]), { code: 0, stdout: "", stderr: "" });
  const problems = [
    { line: 3, message: "there is no setting" },
    { line: 0, message: "two do not fit" },
  ];
  node.machine = { ...node.machine, checkConfig: () => problems };
  t.deepEqual(await node.berth(["config", "--check", "/etc/b.toml"]), {
    code: 1,
    stdout: "/etc/b.toml:3: there is no setting\n/etc/b.toml: two do not fit\n",
    stderr: "",
  });
  t.deepEqual(node.calls, []);
});
