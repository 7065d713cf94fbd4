// The filter of RuntimeDefault, and which filter a container gets. What the kernel makes of it is for the integration tests.
import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { CAPABILITIES } from "../../../src/container/spec/capabilities.ts";
import type { OciSeccomp, OciSeccompArg, OciSyscalls } from "../../../src/container/spec/oci.ts";
import { containerSeccomp, defaultSeccomp, seccompName } from "../../../src/container/spec/seccomp.ts";
import { security } from "../../lib/container-security.ts";

const plain = defaultSeccomp([], "x64");
const admin = defaultSeccomp(["CAP_SYS_ADMIN"], "x64");

const rulesOf = (filter: OciSeccomp, name: string): OciSyscalls[] => filter.syscalls.filter(({ names }) => names.includes(name));

function matches({ index, value, valueTwo = 0, op }: OciSeccompArg, args: readonly bigint[]): boolean {
  const [arg, datum] = [args[index] ?? 0n, BigInt(value)];
  if (op === "SCMP_CMP_EQ") return arg === datum;
  if (op === "SCMP_CMP_NE") return arg !== datum;
  if (op === "SCMP_CMP_MASKED_EQ") return (arg & datum) === BigInt(valueTwo);
  throw new Error(`the default filter has no ${op}`);
}

/** "allow", or the error; no two rules may be true of one call and say different things. */
function answer(filter: OciSeccomp, name: string, ...args: readonly bigint[]): string | number | undefined {
  const rules = rulesOf(filter, name).filter((rule) => (rule.args ?? []).every((arg) => matches(arg, args)));
  const said = new Set(rules.map(({ action, errnoRet }) => (action === "SCMP_ACT_ALLOW" ? "allow" : errnoRet)));
  if (said.size > 1) throw new Error(`${name} has rules that contradict each other`);
  return rules.length === 0 ? filter.defaultErrnoRet : [...said][0];
}

test("what is not allowed fails with EPERM", (t) => {
  t.is(plain.defaultAction, "SCMP_ACT_ERRNO");
  t.is(plain.defaultErrnoRet, 1);
  for (const name of ["unshare", "mount", "keyctl", "add_key", "io_uring_setup", "userfaultfd", "kexec_load", "no_such_call"]) {
    t.is(answer(plain, name), 1, name);
  }
});

test("everyday calls are allowed with any arguments, ptrace among them", (t) => {
  for (const name of ["read", "openat", "execve", "futex", "ioctl", "connect", "prctl", "clock_gettime", "rseq", "ptrace", "seccomp"]) {
    t.is(answer(plain, name), "allow", name);
  }
});

test("even with every capability some calls stay denied", (t) => {
  const all = defaultSeccomp(CAPABILITIES, "x64");
  for (const name of ["keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd"]) {
    t.is(answer(all, name), 1, name);
  }
});

test("a filter is of the calls of the node's kernel", (t) => {
  t.deepEqual(plain.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  t.is(answer(plain, "arch_prctl"), "allow");
  const arm = defaultSeccomp([], "arm64");
  t.deepEqual(arm.architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
  t.is(answer(arm, "arch_prctl"), 1);
  t.is(answer(arm, "cacheflush"), "allow");
  t.false("architectures" in defaultSeccomp([], "riscv64"));
});

for (const [capability, names] of [
  ["CAP_SYS_ADMIN", ["mount", "umount2", "unshare", "setns", "bpf", "sethostname", "fsopen", "perf_event_open", "syslog"]],
  ["CAP_SYS_PTRACE", ["kcmp", "pidfd_getfd", "process_madvise"]],
  ["CAP_SYS_CHROOT", ["chroot"]],
  ["CAP_SYS_MODULE", ["init_module", "finit_module", "delete_module"]],
  ["CAP_SYS_TIME", ["settimeofday", "clock_settime"]],
  ["CAP_SYS_NICE", ["mbind", "set_mempolicy"]],
  ["CAP_SYS_RAWIO", ["iopl", "ioperm"]],
  ["CAP_SYS_BOOT", ["reboot"]],
  ["CAP_SYS_PACCT", ["acct"]],
  ["CAP_SYS_TTY_CONFIG", ["vhangup"]],
  ["CAP_SYSLOG", ["syslog"]],
  ["CAP_DAC_READ_SEARCH", ["open_by_handle_at"]],
  ["CAP_BPF", ["bpf"]],
  ["CAP_PERFMON", ["perf_event_open"]],
] as const) {
  test(`${capability} brings ${names.join(", ")}`, (t) => {
    t.true(CAPABILITIES.includes(capability));
    for (const name of names) {
      t.is(answer(plain, name), 1, name);
      t.is(answer(defaultSeccomp([capability], "x64"), name), "allow", name);
    }
  });
}

test("clone makes processes and threads, and no namespaces without CAP_SYS_ADMIN", (t) => {
  t.is(answer(plain, "clone", 17n), "allow");
  t.is(answer(plain, "clone", 0x3d0f00n), "allow");
  for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n]) {
    t.is(answer(plain, "clone", flag | 17n), 1, flag.toString(16));
    t.is(answer(admin, "clone", flag | 17n), "allow");
  }
});

test("clone3 looks as if the kernel lacked it, so that a library falls back to clone", (t) => {
  t.is(answer(plain, "clone3"), 38);
  t.is(answer(admin, "clone3"), "allow");
});

test("a socket is of any family but two, whatever is above the 32 bits that the kernel looks at", (t) => {
  for (const high of [0n, 1n << 32n, 1n << 63n]) {
    for (let family = 0n; family < 64n; family++) {
      t.is(answer(admin, "socket", high | family, 1n, 0n), family === 38n || family === 40n ? 1 : "allow", String(family));
    }
    t.is(answer(plain, "socket", high | 0xffffffffn, 1n, 0n), "allow");
  }
});

test("without a capability for it the audit socket looks as if the kernel had none", (t) => {
  t.is(answer(plain, "socket", 16n, 3n, 9n), 22);
  t.is(answer(plain, "socket", 16n, 3n, 0n), "allow");
  t.is(answer(plain, "socket", 17n, 3n, 9n), "allow");
  for (const capability of ["CAP_AUDIT_WRITE", "CAP_AUDIT_READ", "CAP_AUDIT_CONTROL"]) {
    t.is(answer(defaultSeccomp([capability], "x64"), "socket", 16n, 3n, 9n), "allow");
  }
});

test("a process asks for its personality, and takes the two usual ones", (t) => {
  for (const persona of [0x0n, 0x8n, 0x20000n, 0x20008n, 0xffffffffn]) t.is(answer(plain, "personality", persona), "allow");
  for (const persona of [0x12345n, 0x40000n, 1n << 32n]) t.is(answer(plain, "personality", persona), 1);
});

const LOCALHOST = { kind: "localhost", path: "/profiles/web.json" } as const;
const filter: OciSeccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };

test("a container gets the filter it asks for; one of an older record asks for none", (t) => {
  t.is(containerSeccomp(security(), undefined, []), undefined);
  t.is(containerSeccomp(security({ seccomp: { kind: "unconfined" } }), undefined, []), undefined);
  t.deepEqual(containerSeccomp(security({ seccomp: { kind: "runtime-default" } }), undefined, []), defaultSeccomp([], process.arch));
  t.is(containerSeccomp(security({ seccomp: LOCALHOST }), filter, []), filter);
});

test("a profile that is not on record is never left out", (t) => {
  t.is(kindOf(t.throws(() => containerSeccomp(security({ seccomp: LOCALHOST }), undefined, []))), "internal");
});

test("a privileged container has no filter, whatever it asks for", (t) => {
  for (const seccomp of [{ kind: "runtime-default" }, LOCALHOST] as const) {
    t.is(containerSeccomp(security({ privileged: true, seccomp }), filter, []), undefined);
    t.is(seccompName(security({ privileged: true, seccomp })), "unconfined");
  }
});

test("profiles have the names that Kubernetes gives them", (t) => {
  t.is(seccompName(security()), "unconfined");
  t.is(seccompName(security({ seccomp: { kind: "runtime-default" } })), "runtime/default");
  t.is(seccompName(security({ seccomp: LOCALHOST })), "localhost//profiles/web.json");
});
