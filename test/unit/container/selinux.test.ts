import test from "ava";
import type { SelinuxOptions } from "../../../src/container/records.ts";
import { buildSpec, execProcess, type NodeFacts } from "../../../src/container/spec/build-spec.ts";
import { readPolicy, type SelinuxPolicy } from "../../../src/container/spec/selinux.ts";
import { security } from "../../lib/container-security.ts";
import { image, node } from "../../lib/node-facts.ts";
import { containerRecord, sandboxRecord } from "../../lib/records.ts";

const selinux: SelinuxPolicy = { process: "system_u:system_r:container_t:s0", file: "system_u:object_r:container_file_t:s0" };
const asked = (change: Partial<SelinuxOptions>): SelinuxOptions => ({ user: "", role: "", type: "", level: "", ...change });

const built = (options: SelinuxOptions | undefined, privileged = false, facts: NodeFacts = { ...node, selinux }) => {
  const container = containerRecord({}, { security: security({ selinux: options, privileged }) });
  const { spec, warnings } = buildSpec(container, sandboxRecord(), image, facts);
  const exec = execProcess(container, sandboxRecord(), image, facts, ["true"]).selinuxLabel;
  return { process: spec.process.selinuxLabel, exec, mount: spec.linux.mountLabel, warnings };
};

test("parts that are not asked for are the policy's", (t) => {
  const process = "system_u:system_r:mine_t:s0:c1,c2";
  const expected = { process, exec: process, mount: "system_u:object_r:container_file_t:s0:c1,c2", warnings: [] };
  t.deepEqual(built(asked({ type: "mine_t", level: "s0:c1,c2" })), expected);
});

test("files have the level and the user that were asked for, and never the process's role or type", (t) => {
  const all = asked({ user: "user_u", role: "user_r", type: "user_t", level: "s1" });
  t.like(built(all), { process: "user_u:user_r:user_t:s1", mount: "user_u:object_r:container_file_t:s1" });
});

test("a privileged container's process has no label, and its mounts have", (t) => {
  t.like(built(asked({ type: "mine_t" }), true), { process: undefined, exec: undefined, mount: "system_u:object_r:container_file_t:s0" });
});

test("who asks for no label gets none", (t) => {
  t.deepEqual(built(undefined), { process: undefined, exec: undefined, mount: undefined, warnings: [] });
});

test("on a node that sets no labels there is a warning instead", (t) => {
  const { warnings, ...labels } = built(asked({ type: "mine_t" }), false, { ...node, selinux: undefined });
  t.deepEqual(warnings, ["selinux_options: no label is set"]);
  t.deepEqual(labels, { process: undefined, exec: undefined, mount: undefined });
});

test("a policy's own labels are those of its file, and the usual ones where it says nothing", (t) => {
  const text = '# a comment\nprocess = "a_u:a_r:a_t:s0-s0:c0.c1023"\ncontent = "x_u:x_r:x_t"\nfile = "b_u:object_r:b_t:s0"\n';
  t.deepEqual(readPolicy(text), { process: "a_u:a_r:a_t:s0-s0:c0.c1023", file: "b_u:object_r:b_t:s0" });
  t.deepEqual(readPolicy(""), selinux);
});
