import test from "ava";
import { resolveEdits } from "../../../../src/container/cdi/resolve-edits.ts";
import type { CdiEdits } from "../../../../src/container/cdi/cdi-spec.ts";
import { kindOf } from "../../../../src/base/errors.ts";
import type { ContainerConfig } from "../../../../src/container/records.ts";
import { buildSpec, execProcess } from "../../../../src/container/spec/build-spec.ts";
import { security } from "../../../lib/container-security.ts";
import { image, node } from "../../../lib/node-facts.ts";
import { containerRecord, sandboxRecord } from "../../../lib/records.ts";

const edits = (change: Partial<CdiEdits>): CdiEdits => ({ env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [], ...change });
const user = { uid: 1000, gid: 100, additionalGids: [100] };

async function record(all: readonly CdiEdits[], config: Partial<ContainerConfig> = {}) {
  return containerRecord({ user, cdi: await resolveEdits(all) }, config);
}

const specOf = async (all: readonly CdiEdits[], config: Partial<ContainerConfig> = {}) =>
  buildSpec(await record(all, config), sandboxRecord(), image, node).spec;

test("a device's numbers are the node's where its vendor names none, and it is its user's", async (t) => {
  const spec = await specOf([edits({ deviceNodes: [{ path: "/dev/gpu", hostPath: "/dev/null", permissions: "rw" }] })]);
  t.deepEqual(spec.linux.devices, [{ path: "/dev/gpu", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 1000, gid: 100 }]);
  t.deepEqual(spec.linux.resources.devices.at(-1), { allow: true, type: "c", major: 1, minor: 3, access: "rw" });
});

test("what a vendor writes of a device is taken as it is, without a look at the node", async (t) => {
  const written = { path: "/dev/not-there", type: "u", major: 7, minor: 8, fileMode: 0o600, uid: 0, gid: 5 } as const;
  const spec = await specOf([edits({ deviceNodes: [written] })]);
  t.deepEqual(spec.linux.devices, [{ path: "/dev/not-there", type: "c", major: 7, minor: 8, fileMode: 0o600, uid: 0, gid: 5 }]);
});

test("a pipe has no numbers and needs no leave", async (t) => {
  const spec = await specOf([
    edits({
      deviceNodes: [
        { path: "/dev/pipe", type: "p" },
        { path: "/dev/shut", hostPath: "/dev/null", permissions: "none" },
      ],
    }),
  ]);
  t.like(spec.linux.devices?.[0], { path: "/dev/pipe", type: "p" });
  t.deepEqual(spec.linux.resources.devices, [{ allow: false, access: "rwm" }]);
});

test("a privileged container's own rule is enough, and a device at its place is the vendor's", async (t) => {
  const device = { path: "/dev/gpu", type: "c", major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: 0, permissions: "rwm" } as const;
  const made = await record([edits({ deviceNodes: [{ path: "/dev/gpu", hostPath: "/dev/null" }] })], {
    security: security({ privileged: true }),
  });
  const { spec } = buildSpec({ ...made, devices: [device] }, sandboxRecord(), image, node);
  t.deepEqual(
    spec.linux.devices?.map(({ path, minor }) => [path, minor]),
    [["/dev/gpu", 3]],
  );
  t.deepEqual(spec.linux.resources.devices, [{ allow: true, access: "rwm" }]);
});

for (const [what, node, message] of [
  ["that is no device", { path: "/dev/x", hostPath: "/etc/passwd" }, /add CDI device node \/dev\/x: \/etc\/passwd is no device/],
  ["of another type", { path: "/dev/null", type: "b" }, /\/dev\/null is no device of type b/],
  ["that is not there", { path: "/dev/not-there", type: "c" }, /not-there/],
] as const) {
  test(`a node ${what} is refused`, async (t) => {
    const failure = await t.throwsAsync(resolveEdits([edits({ deviceNodes: [node] })]), { message });
    t.is(kindOf(failure), "failed-precondition");
  });
}

test("a mount replaces one at its place, stands in the order of depth, and is a bind mount", async (t) => {
  const caller = { containerPath: "/data/", hostPath: "/tmp", readonly: false, propagation: "private" } as const;
  const mounts = [
    { hostPath: "/usr", containerPath: "/data", type: "", options: ["ro"] },
    { hostPath: "/usr", containerPath: "/lib", type: "bind", options: ["bind"] },
    { hostPath: "tmpfs", containerPath: "/scratch", type: "tmpfs", options: [] },
  ];
  const { mounts: all } = await specOf([edits({ mounts })], { mounts: [caller] });
  const at = (place: string) => all.filter(({ destination }) => destination.replace(/\/$/, "") === place);
  t.deepEqual(at("/data"), [{ destination: "/data", type: "bind", source: "/usr", options: ["rbind", "ro"] }]);
  t.deepEqual(at("/lib"), [{ destination: "/lib", type: "bind", source: "/usr", options: ["bind"] }]);
  t.deepEqual(at("/scratch"), [{ destination: "/scratch", type: "tmpfs", source: "tmpfs", options: [] }]);
  t.true(all.findIndex(({ destination }) => destination === "/lib") < all.findIndex(({ destination }) => destination === "/dev/pts"));
});

test("hooks are run in the order of the devices", async (t) => {
  const hook = { hookName: "prestart", path: "/a", args: [], env: [] } as const;
  const spec = await specOf([
    edits({ hooks: [hook, { ...hook, hookName: "poststop" }] }),
    edits({ hooks: [{ ...hook, path: "/b", args: ["b"], timeout: 3 }] }),
  ]);
  t.deepEqual(spec.hooks, {
    prestart: [
      { path: "/a", env: [] },
      { path: "/b", args: ["b"], env: [], timeout: 3 },
    ],
    poststop: [{ path: "/a", env: [] }],
  });
  t.is((await specOf([])).hooks, undefined);
});

test("variables and groups are those of later commands too, and win over the caller's", async (t) => {
  const container = await record([edits({ env: ["A=vendor", "B=1"], additionalGids: [0, 44, 100] })], { envs: [["A", "caller"]] });
  const { process } = buildSpec(container, sandboxRecord(), image, node).spec;
  t.deepEqual(
    process.env.filter((entry) => /^[AB]=/.test(entry)),
    ["A=vendor", "B=1"],
  );
  t.deepEqual(process.user.additionalGids, [100, 44]);
  const command = execProcess(container, sandboxRecord(), image, node, ["true"]);
  t.deepEqual([command.env, command.user], [process.env, process.user]);
});

test("changes that no record holds are refused", async (t) => {
  const failure = await t.throwsAsync(resolveEdits([edits({ env: [`A=${"x".repeat(600_000)}`] })]), { message: /over 524288/ });
  t.is(kindOf(failure), "resource-exhausted");
});
