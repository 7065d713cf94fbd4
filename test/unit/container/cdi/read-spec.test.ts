import test from "ava";
import { kindOf } from "../../../../src/base/errors.ts";
import type { CdiSpec } from "../../../../src/container/cdi/cdi-spec.ts";
import { readSpec } from "../../../../src/container/cdi/read-spec.ts";

const read = (text: string, path = "/etc/cdi/a.yaml"): CdiSpec => readSpec(Buffer.from(text), path);

const small = { cdiVersion: "0.6.0", kind: "vendor.com/gpu", devices: [{ name: "0", containerEdits: { env: ["A=1"] } }] };
const asJson = (changes: object): string => JSON.stringify({ ...small, ...changes });

test("a spec in YAML has its modes in octal, and all of its edits", (t) => {
  const { kind, devices, containerEdits } = read(`
cdiVersion: "0.7.0"
kind: vendor.com/gpu
containerEdits:
  hooks:
    - { hookName: createContainer, path: /usr/bin/hook, args: [hook, run], env: [A=1], timeout: 5 }
devices:
  - name: gpu0
    annotations: { what: ever }
    containerEdits:
      env: [ "GPU=0" ]
      additionalGids: [ 44 ]
      deviceNodes:
        - { path: /dev/gpu0, hostPath: /dev/dri/card0, type: u, fileMode: 0660, permissions: rw, uid: 0 }
      mounts:
        - { hostPath: /lib/gpu, containerPath: /lib/gpu, options: [ ro ] }
`);
  t.is(kind, "vendor.com/gpu");
  t.deepEqual(containerEdits.hooks, [
    { hookName: "createContainer", path: "/usr/bin/hook", args: ["hook", "run"], env: ["A=1"], timeout: 5 },
  ]);
  const edits = devices.get("gpu0");
  t.deepEqual(edits?.env, ["GPU=0"]);
  t.deepEqual(edits?.additionalGids, [44]);
  t.like(edits?.deviceNodes[0], { path: "/dev/gpu0", hostPath: "/dev/dri/card0", type: "u", fileMode: 0o660, permissions: "rw", uid: 0 });
  t.is(edits?.deviceNodes[0]?.major, undefined);
  t.deepEqual(edits?.mounts, [{ hostPath: "/lib/gpu", containerPath: "/lib/gpu", type: "", options: ["ro"] }]);
});

test("every version from 0.3 to 1.0 is read, and no other", (t) => {
  for (const cdiVersion of ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "v0.6.0"])
    t.is(read(asJson({ cdiVersion }), "/a.json").devices.size, 1, cdiVersion);
  for (const cdiVersion of ["0.2.0", "1.1.0", "2.0.0", "", undefined, 1])
    t.is(kindOf(t.throws(() => read(asJson({ cdiVersion }), "/a.json"))), "invalid-argument", String(cdiVersion));
});

const withEdits = (containerEdits: object): string => asJson({ devices: [{ name: "0", containerEdits }] });

for (const [what, text, message] of [
  ["text that is no JSON", "{", /a\.json: it is no JSON/],
  ["a field that is not known", asJson({ more: 1 }), /it has a field "more", which is not known/],
  ["a kind without a class", asJson({ kind: "vendor.com" }), /kind "vendor.com" is not like/],
  ["a kind of three parts", asJson({ kind: "a/b/c" }), /kind "a\/b\/c" is not like/],
  ["no devices", asJson({ devices: [] }), /it has no devices/],
  ["a device without a name", asJson({ devices: [{ containerEdits: {} }] }), /devices\[0\]\.name is missing/],
  ["a device without edits", asJson({ devices: [{ name: "0" }] }), /devices\[0\]\.containerEdits is no object/],
  ["two devices of one name", asJson({ devices: [...small.devices, ...small.devices] }), /"0" is there twice/],
  ["a variable without a value", withEdits({ env: ["A"] }), /env has "A"/],
  ["a relative device", withEdits({ deviceNodes: [{ path: "dev/x" }] }), /path "dev\/x" is no absolute path/],
  ["a device of a type that is none", withEdits({ deviceNodes: [{ path: "/dev/x", type: "s" }] }), /type "s" is none of/],
  ["a device number below zero", withEdits({ deviceNodes: [{ path: "/dev/x", major: -1 }] }), /major -1 is no whole number/],
  ["permissions that are none", withEdits({ deviceNodes: [{ path: "/dev/x", permissions: "rx" }] }), /permissions "rx"/],
  ["a hook of a time that is none", withEdits({ hooks: [{ hookName: "then", path: "/x" }] }), /hookName "then" is none of/],
  ["a hook by its name alone", withEdits({ hooks: [{ hookName: "poststop", path: "x" }] }), /path "x" is no absolute path/],
  ["a hook that has no time", withEdits({ hooks: [{ hookName: "poststop", path: "/x", timeout: 0 }] }), /timeout is no time/],
  ["a class of cache and memory bandwidth", withEdits({ intelRdt: { closID: "a" } }), /intelRdt is not offered/],
] as const) {
  test(`${what} is refused by its place in the file`, (t) => {
    const failure = t.throws(() => read(text, "/etc/cdi/a.json"), { message });
    t.is(kindOf(failure), "invalid-argument");
  });
}

test("aliases of YAML that grow without end are refused", (t) => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x,x]",
    ...[..."bcdef"].map((name, i) => `${name}: &${name} [${Array(10).fill(`*${"abcde"[i]}`).join(",")}]`),
  ];
  t.throws(() => read(bomb.join("\n")), { message: /it is no YAML/ });
});
