// A profile in a file: what is taken from it, and what is refused.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { kindOf, messageOf } from "../../../src/base/errors.ts";
import { localhostSeccomp } from "../../../src/container/spec/localhost-seccomp.ts";
import type { OciSeccomp } from "../../../src/container/spec/oci.ts";
import { resolveSeccompProfile } from "../../../src/container/spec/seccomp-profile.ts";
import { security } from "../../lib/container-security.ts";
import { temporaryFolder } from "../../lib/image-service.ts";

const HOST = { arch: "x64", kernelRelease: "6.1.0-18-amd64", capabilities: ["CAP_SYS_CHROOT"] };

const read = (profile: unknown, host = HOST): OciSeccomp => {
  const bytes = Buffer.from(typeof profile === "string" ? profile : JSON.stringify(profile));
  return resolveSeccompProfile(bytes, "/profiles/web.json", host);
};

/** Without the last rule, which is only of the filter's name. */
const rules = (profile: object, host = HOST): OciSeccomp["syscalls"] => read(profile, host).syscalls.slice(0, -1);

const rule = (change: object): object => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO", ...change }],
});

test("an OCI profile comes out as it is", (t) => {
  const whole = {
    names: ["personality", "_llseek"],
    action: "SCMP_ACT_ERRNO",
    errnoRet: 22,
    args: [
      { index: 0, value: 4294967295, valueTwo: 8, op: "SCMP_CMP_MASKED_EQ" },
      { index: 5, value: 0, op: "SCMP_CMP_GT" },
    ],
  };
  const profile = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38, architectures: ["SCMP_ARCH_X86_64"], syscalls: [whole] };
  t.like(read(profile), { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38, architectures: ["SCMP_ARCH_X86_64"] });
  t.deepEqual(rules(profile), [whole]);
});

test("a profile without rules is one too", (t) => {
  t.deepEqual(rules({ defaultAction: "SCMP_ACT_KILL_PROCESS" }), []);
});

test("empty fields of Go's and Podman's making mean nothing", (t) => {
  const syscalls = [
    { names: ["keyctl"], action: "SCMP_ACT_ALLOW", args: null, comment: "", includes: {}, excludes: { caps: null, minKernel: "" } },
    { names: ["bpf"], action: "SCMP_ACT_ERRNO", args: [], errnoRet: 1, errno: "EPERM" },
  ];
  t.deepEqual(rules({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: null, syscalls }), [
    { names: ["keyctl"], action: "SCMP_ACT_ALLOW" },
    { names: ["bpf"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
  ]);
});

test("a single name, as Docker once wrote it, is a list of one", (t) => {
  t.deepEqual(rules(rule({ names: undefined, name: "keyctl" })), [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO" }]);
});

test("what would end a thread ends its process", (t) => {
  for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"]) {
    t.is(read({ defaultAction: action }).defaultAction, "SCMP_ACT_KILL_PROCESS");
    t.is(rules(rule({ action }))[0]?.action, "SCMP_ACT_KILL_PROCESS");
  }
});

test("an error may be named", (t) => {
  t.like(rules(rule({ errno: "ENOSYS" }))[0], { errnoRet: 38 });
  t.is(read({ defaultAction: "SCMP_ACT_ERRNO", defaultErrno: "ENOSYS" }).defaultErrnoRet, 38);
});

test("only architectures of this node stay, and its own is always there", (t) => {
  const of = (fields: object, arch = "x64") => read({ defaultAction: "SCMP_ACT_ALLOW", ...fields }, { ...HOST, arch }).architectures;
  const archMap = [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_RISCV64", subArchitectures: null },
  ];
  t.deepEqual(of({ archMap }), ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  t.deepEqual(of({ archMap }, "arm64"), ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
  t.deepEqual(of({ architectures: ["SCMP_ARCH_S390X", "SCMP_ARCH_X86"] }), ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
  t.deepEqual(of({}), ["SCMP_ARCH_X86_64"]);
  t.is(of({ archMap }, "riscv64"), undefined);
});

for (const [what, conditions, stays] of [
  ["a capability that is held", { includes: { caps: ["CAP_SYS_CHROOT"] } }, true],
  ["two capabilities of which one is held", { includes: { caps: ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"] } }, false],
  ["not a capability that is held", { excludes: { caps: ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"] } }, false],
  ["not a capability that is not held", { excludes: { caps: ["CAP_SYS_ADMIN"] } }, true],
  ["this architecture", { includes: { arches: ["arm64", "amd64"] } }, true],
  ["another architecture", { includes: { arches: ["arm64"] } }, false],
  ["not this architecture", { excludes: { arches: ["amd64"] } }, false],
  ["an older kernel", { includes: { minKernel: "4.8" } }, true],
  ["this kernel", { includes: { minKernel: "6.1" } }, true],
  ["a newer kernel", { includes: { minKernel: "6.2" } }, false],
  ["not kernels from an older one on", { excludes: { minKernel: "4.8" } }, false],
  ["all of several conditions", { includes: { minKernel: "4.8", caps: ["CAP_SYS_ADMIN"] } }, false],
] as const) {
  test(`a rule for ${what} ${stays ? "stays" : "goes"}`, (t) => {
    t.is(rules(rule(conditions)).length, stays ? 1 : 0);
  });
}

test("the last rule names the whole filter and does nothing", (t) => {
  const last = (errnoRet: number) => read(rule({ errnoRet })).syscalls.at(-1);
  t.like(last(1), { action: "SCMP_ACT_ALLOW" });
  t.deepEqual(last(1), last(1));
  t.notDeepEqual(last(1), last(2));
});

const ALLOW = { defaultAction: "SCMP_ACT_ALLOW" };
const argument = (change: object): object => rule({ args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ", ...change }] });

for (const [what, profile, words] of [
  ["that is empty", "", /it is no JSON/],
  ["that is cut off", "{", /it is no JSON/],
  ["that is two", "{} {}", /it is no JSON/],
  ["that is a list", "[]", /it is no object/],
  ["without a default action", {}, /defaultAction is missing/],
  ["with an unknown default action", { defaultAction: "ALLOW" }, /defaultAction "ALLOW" is none of SCMP_ACT_ALLOW, /],
  ["that asks somebody", { defaultAction: "SCMP_ACT_NOTIFY" }, /"SCMP_ACT_NOTIFY" is none of/],
  ["with a default action that is a number", { defaultAction: 1 }, /defaultAction is no text/],
  ["with a default error and no use for it", { ...ALLOW, defaultErrnoRet: 1 }, /defaultErrnoRet has no meaning with SCMP_ACT_ALLOW/],
  [
    "with a default error out of range",
    { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 4096 },
    /4096 is no whole number within 0 to 4095/,
  ],
  [
    "with an unknown default error",
    { defaultAction: "SCMP_ACT_ERRNO", defaultErrno: "EWHAT" },
    /defaultErrno "EWHAT" is no name of an error/,
  ],
  ["with a field that is not known", { ...ALLOW, syscals: [] }, /a field "syscals", which is not known/],
  ["with a listener", { ...ALLOW, listenerPath: "/run/x" }, /"listenerPath"/],
  ["with flags that are no texts", { ...ALLOW, flags: [1] }, /flags\[0\] is no text/],
  ["whose rules are no list", { ...ALLOW, syscalls: {} }, /syscalls is no list/],
  ["with a rule that is a name", { ...ALLOW, syscalls: ["keyctl"] }, /syscalls\[0\] is no object/],
  ["with an architecture of another naming", { ...ALLOW, architectures: ["x86"] }, /architectures\[0\] "x86" is no architecture/],
  ["with a map of no architecture", { ...ALLOW, archMap: [{}] }, /archMap\[0\]\.architecture is missing/],
  [
    "with architectures said twice",
    { ...ALLOW, architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86" }] },
    /both architectures and archMap/,
  ],
  ["with a rule for nothing", rule({ names: [] }), /syscalls\[0\] names no system call/],
  ["with a name that none has", rule({ names: ["keyctl "] }), /syscalls\[0\]\.names\[0\] "keyctl " is no name/],
  ["with a name that is a number", rule({ names: [7] }), /syscalls\[0\]\.names\[0\] is no text/],
  ["with names said twice", rule({ name: "bpf" }), /both name and names/],
  ["with a rule without an action", rule({ action: undefined }), /syscalls\[0\]\.action is missing/],
  ["with an error and no use for it", rule({ action: "SCMP_ACT_ALLOW", errnoRet: 1 }), /errnoRet has no meaning/],
  ["with an error below 0", rule({ errnoRet: -1 }), /syscalls\[0\]\.errnoRet -1/],
  ["with a field of a rule that is not known", rule({ arg: [] }), /syscalls\[0\] has a field "arg"/],
  ["with a seventh argument", argument({ index: 6 }), /args\[0\]\.index 6/],
  ["with a value that is a text", argument({ value: "1" }), /args\[0\]\.value "1"/],
  ["with a value that is a fraction", argument({ value: 1.5 }), /args\[0\]\.value 1\.5/],
  ["with a value that JSON can't hold exactly", argument({ value: 2 ** 53 }), /args\[0\]\.value 9007199254740992 /],
  ["with an unknown operator", argument({ op: "==" }), /args\[0\]\.op "=="/],
  [
    "with too many arguments",
    rule({ args: Array.from({ length: 7 }, () => ({ index: 0, value: 1, op: "SCMP_CMP_EQ" })) }),
    /args has over 6 entries/,
  ],
  [
    "with a capability of another naming",
    rule({ includes: { caps: ["SYS_ADMIN"] } }),
    /includes\.caps has "SYS_ADMIN", which is no capability/,
  ],
  ["with a kernel that is no version", rule({ excludes: { minKernel: "4" } }), /excludes\.minKernel "4" is not like 4\.8/],
  ["with a condition that is not known", rule({ excludes: { kernel: "4.8" } }), /excludes has a field "kernel"/],
] as const) {
  test(`a profile ${what} is refused`, (t) => {
    const failure = t.throws(() => read(profile));
    t.is(kindOf(failure), "invalid-argument");
    t.regex(messageOf(failure), words);
    t.regex(messageOf(failure), /^read seccomp profile \/profiles\/web\.json: /);
  });
}

test("a rule that goes is looked at all the same", (t) => {
  t.throws(() => read(rule({ includes: { minKernel: "99.0" }, args: [{}] })), { message: /args\[0\]\.index/ });
});

const asked = (path: string) => security({ seccomp: { kind: "localhost", path } });

test("a file is read only when one is asked for", async (t) => {
  t.is(await localhostSeccomp(security(), new Set()), undefined);
  t.is(await localhostSeccomp(security({ privileged: true, seccomp: { kind: "localhost", path: "/no/such" } }), new Set()), undefined);
});

test("a file's rules go by the capabilities of the container", async (t) => {
  const path = join(await temporaryFolder(t), "profile.json");
  await writeFile(path, JSON.stringify(rule({ includes: { caps: ["CAP_SYS_CHROOT"] } })));
  t.is((await localhostSeccomp(asked(path), new Set(["CAP_SYS_CHROOT"])))?.syscalls.length, 2);
  t.is((await localhostSeccomp(asked(path), new Set()))?.syscalls.length, 1);
});

test("a file of 1 MiB is read, and a larger one refused", async (t) => {
  const path = join(await temporaryFolder(t), "profile.json");
  const text = JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW" });
  await writeFile(path, text.padEnd(1024 * 1024));
  t.is((await localhostSeccomp(asked(path), new Set()))?.defaultAction, "SCMP_ACT_ALLOW");
  await writeFile(path, text.padEnd(1024 * 1024 + 1));
  const failure = await t.throwsAsync(localhostSeccomp(asked(path), new Set()));
  t.is(kindOf(failure), "invalid-argument");
  t.regex(messageOf(failure), /profile\.json: it is over 1048576 bytes/);
});

test("what is not there or no regular file is refused, and a pipe holds up nobody", async (t) => {
  const folder = await temporaryFolder(t);
  const pipe = join(folder, "pipe");
  await promisify(execFile)("mkfifo", [pipe]);
  for (const [path, words] of [
    [join(folder, "none.json"), /none\.json: ENOENT/],
    [folder, /it is no regular file/],
    [pipe, /it is no regular file/],
    ["/dev/zero", /it is no regular file/],
  ] as const) {
    const failure = await t.throwsAsync(localhostSeccomp(asked(path), new Set()));
    t.is(kindOf(failure), "invalid-argument");
    t.regex(messageOf(failure), words);
  }
});
