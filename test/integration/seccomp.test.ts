// Which system calls a container may make: the calls are made, and what they say is looked at, with each OCI runtime.
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { answers, answersOfLog, probing, syscallsMount } from "../lib/syscalls.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const program = shared(test, (t) => syscallsMount(t));
const profiles = shared(test, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-profiles-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
});

const SLEEP = ["sleep", "1000"];
const DEFAULT = { seccomp: { profile_type: "RuntimeDefault" } };
const UNCONFINED = { seccomp: { profile_type: "Unconfined" } };
const localhost = (path: string): Message => ({ seccomp: { profile_type: "Localhost", localhost_ref: path } });

const config = (security: Message): Message => ({ mounts: [program()], linux: { security_context: security } });

async function profile(name: string, content: object): Promise<string> {
  const path = join(profiles(), name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

/** "0" without a filter, "2" with one. */
const mode = async (container: Container): Promise<string> =>
  /^Seccomp:\s+(\d)$/m.exec(await container.output("cat", "/proc/self/status"))?.[1] ?? "";

async function info(container: Container): Promise<Record<string, unknown>> {
  const { info } = await node().cri.call<{ info: Record<string, string> }>("ContainerStatus", {
    container_id: container.id,
    verbose: true,
  });
  return JSON.parse(info["info"] ?? "{}");
}

/** What the filter of RuntimeDefault says. */
const FILTERED = {
  clone: "ok",
  thread: "ok",
  "socket-inet": "ok",
  "socket-route": "ok",
  "socket-audit": "ok",
  "socket-unknown": "EAFNOSUPPORT",
  "personality-ask": "ok",
  ptrace: "ok",
  clone3: "ENOSYS",
  "clone-user": "EPERM",
  "unshare-user": "EPERM",
  "unshare-mount": "EPERM",
  "socket-alg": "EPERM",
  "socket-vsock": "EPERM",
  "socket-vsock-high": "EPERM",
  "personality-odd": "EPERM",
  keyctl: "EPERM",
  add_key: "EPERM",
  request_key: "EPERM",
  io_uring_setup: "EPERM",
  userfaultfd: "EPERM",
  "mount-bad": "EPERM",
  "setns-bad": "EPERM",
  open_by_handle_at: "EPERM",
  ...(process.arch === "x64" ? { "i386-getpid": "ok", "i386-unshare-user": "EPERM" } : {}),
};

/** What the kernel says to the same calls, where that is something else. */
const UNFILTERED = {
  clone3: "ok",
  "clone-user": "ok",
  "unshare-user": "ok",
  "socket-vsock": "ok",
  "socket-vsock-high": "ok",
  "personality-odd": "ok",
  keyctl: "ok",
  add_key: "EFAULT",
  request_key: "EFAULT",
  io_uring_setup: "EFAULT",
  userfaultfd: "EINVAL",
  "mount-bad": "EFAULT",
  "setns-bad": "EBADF",
  ...(process.arch === "x64" ? { "i386-unshare-user": "ok" } : {}),
};

for (const runtime of RUNTIMES) {
  test(`RuntimeDefault denies what could lead out, each with its own error (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const filtered = await pod.start("filtered", SLEEP, config(DEFAULT));
    t.deepEqual(await answers(filtered, Object.keys(FILTERED)), FILTERED);
    const free = await pod.start("free", SLEEP, config(UNCONFINED));
    t.deepEqual(await answers(free, Object.keys(UNFILTERED)), UNFILTERED);
    await pod.remove();
  });

  test(`the container's own process is filtered as an exec is, also as a user without capabilities (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const probes = ["thread", "clone3", "keyctl", "unshare-user"];
    for (const [name, security] of [
      ["root", {}],
      ["user", { run_as_user: { value: 1000 } }],
      ["careful", { run_as_user: { value: 1000 }, no_new_privs: true, capabilities: { drop_capabilities: ["ALL"] } }],
      ["bare", { capabilities: { drop_capabilities: ["ALL"] } }],
    ] as const) {
      const container = await pod.start(name, probing(probes), config({ ...DEFAULT, ...security }));
      t.is((await container.reached("CONTAINER_EXITED")).exit_code, 0);
      t.deepEqual(await answersOfLog(container), { thread: "ok", clone3: "ENOSYS", keyctl: "EPERM", "unshare-user": "EPERM" }, name);
    }
    await pod.remove();
  });

  test(`everyday programs run under RuntimeDefault (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const web = await pod.start("web", ["berth-demo", "serve", "--port", "80"], config(DEFAULT));
    await web.logged(/listening/);
    t.regex(await web.output("berth-demo", "fetch", "--count", "1", "http://localhost:80/"), /ms/);
    t.regex(await web.output("ls", "-l", "/bin"), /busybox/);
    t.regex(await web.output("ping", "-c", "1", "127.0.0.1"), /1 packets received/);
    t.is(await web.output("sh", "-c", "cd /tmp && echo a > f && chmod 600 f && chown 1000 f && mv f g && cat g"), "a");
    await pod.remove();
  });

  test(`a capability brings the calls that it is for (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const admin = await pod.start("admin", SLEEP, config({ ...DEFAULT, capabilities: { add_capabilities: ["SYS_ADMIN"] } }));
    t.is(await mode(admin), "2");
    const expected = {
      "mount-tmpfs": "ok",
      "unshare-mount": "ok",
      "unshare-user": "ok",
      "clone-user": "ok",
      clone3: "ok",
      "setns-bad": "EBADF",
      "socket-vsock": "EPERM",
      keyctl: "EPERM",
    };
    t.deepEqual(await answers(admin, Object.keys(expected)), expected);
    const reader = await pod.start("reader", SLEEP, config({ ...DEFAULT, capabilities: { add_capabilities: ["DAC_READ_SEARCH"] } }));
    t.deepEqual(await answers(reader, ["open_by_handle_at", "unshare-mount"]), { open_by_handle_at: "EFAULT", "unshare-mount": "EPERM" });
    const silent = await pod.start("silent", SLEEP, config({ ...DEFAULT, capabilities: { drop_capabilities: ["AUDIT_WRITE"] } }));
    t.deepEqual(await answers(silent, ["socket-audit", "socket-route", "socket-inet"]), {
      "socket-audit": "EINVAL",
      "socket-route": "ok",
      "socket-inet": "ok",
    });
    await pod.remove();
  });

  test(`a container has the filter that was asked for, and says which (${runtime})`, async (t) => {
    const path = await profile(`modes-${runtime}.json`, { defaultAction: "SCMP_ACT_ALLOW" });
    const pod = await Pod.run(node(), { linux: { security_context: { privileged: true } } }, runtime);
    for (const [name, security, expected] of [
      ["default", DEFAULT, ["2", "runtime/default"]],
      ["unconfined", UNCONFINED, ["0", "unconfined"]],
      ["nil", {}, ["0", "unconfined"]],
      ["localhost", localhost(path), ["2", `localhost/${path}`]],
      ["privileged", { ...DEFAULT, privileged: true }, ["0", "unconfined"]],
      ["privileged-localhost", { ...localhost("/no/such/profile.json"), privileged: true }, ["0", "unconfined"]],
      ["old-default", { seccomp_profile_path: "runtime/default" }, ["2", "runtime/default"]],
      ["old-docker", { seccomp_profile_path: "docker/default" }, ["2", "runtime/default"]],
      ["old-unconfined", { seccomp_profile_path: "unconfined" }, ["0", "unconfined"]],
      ["old-localhost", { seccomp_profile_path: `localhost/${path}` }, ["2", `localhost/${path}`]],
      ["new-over-old", { ...UNCONFINED, seccomp_profile_path: "runtime/default" }, ["0", "unconfined"]],
    ] as const) {
      const container = await pod.start(name, SLEEP, config(security));
      t.deepEqual([await mode(container), (await info(container))["seccomp"]], expected, name);
    }
    await pod.remove();
  });

  test(`a profile of the node does what it says (${runtime})`, async (t) => {
    const path = await profile(`rules-${runtime}.json`, {
      defaultAction: "SCMP_ACT_ALLOW",
      archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }, { architecture: "SCMP_ARCH_S390X" }],
      syscalls: [
        { names: ["chmod", "fchmodat", "sethostname", "no_such_call"], action: "SCMP_ACT_ERRNO" },
        { names: ["keyctl"], action: "SCMP_ACT_ERRNO", errnoRet: 5, excludes: { caps: ["CAP_SYS_ADMIN"] } },
        { names: ["personality"], action: "SCMP_ACT_ERRNO", args: [{ index: 0, value: 0x12345, op: "SCMP_CMP_EQ" }] },
        { names: ["add_key"], action: "SCMP_ACT_KILL_PROCESS" },
        { names: ["request_key"], action: "SCMP_ACT_ERRNO", includes: { minKernel: "999.0" } },
      ],
    });
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.start("one", SLEEP, config(localhost(path)));
    const expected = {
      keyctl: "EIO",
      "personality-odd": "EPERM",
      "personality-ask": "ok",
      add_key: "killed",
      request_key: "EFAULT",
      sethostname: "EPERM",
    };
    t.deepEqual(await answers(container, Object.keys(expected)), expected);
    const { stderr, exit_code } = await container.exec(["chmod", "400", "/"]);
    t.regex(String(stderr), /Operation not permitted/);
    t.not(exit_code, 0);
    const admin = await pod.start("admin", SLEEP, config({ ...localhost(path), capabilities: { add_capabilities: ["SYS_ADMIN"] } }));
    t.deepEqual(await answers(admin, ["keyctl", "sethostname"]), { keyctl: "ok", sethostname: "EPERM" });
    await pod.remove();
  });

  test(`profiles that differ only in an error are not taken for each other (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    for (const [errnoRet, expected] of [
      [5, "EIO"],
      [22, "EINVAL"],
    ] as const) {
      const path = await profile(`error-${runtime}-${errnoRet}.json`, {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO", errnoRet }],
      });
      const container = await pod.start(`error-${errnoRet}`, SLEEP, config(localhost(path)));
      t.deepEqual(await answers(container, ["keyctl"]), { keyctl: expected });
    }
    await pod.remove();
  });

  test(`a profile that kills whatever calls fails the start, and nobody waits (${runtime})`, async (t) => {
    const path = await profile(`kill-${runtime}.json`, { defaultAction: "SCMP_ACT_KILL" });
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.create("one", SLEEP, config(localhost(path)));
    await t.throwsAsync(container.start());
    t.like(await container.status(), { state: "CONTAINER_EXITED", reason: "StartError" });
    await pod.remove();
  });

  test(`a profile is read once: its file may go, and berthd start anew (${runtime})`, async (t) => {
    const path = await profile(`once-${runtime}.json`, {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO", errnoRet: 5 }],
    });
    const pod = await Pod.run(node(), {}, runtime);
    const container = await pod.create("one", SLEEP, config(localhost(path)));
    await unlink(path);
    await node().crash();
    await node().boot();
    await container.start();
    t.deepEqual(await answers(container, ["keyctl"]), { keyctl: "EIO" });
    await pod.remove();
  });
}

test("a profile that can't be had refuses the container, in words that name the file", async (t) => {
  const pod = await Pod.run(node());
  const broken = await profile("broken.json", { defaultAction: "SCMP_ACT_SHRUG" });
  for (const [security, words] of [
    [localhost("/no/such/profile.json"), /\/no\/such\/profile\.json.*no such file/],
    [localhost(profiles()), /is no regular file/],
    [localhost(broken), /broken\.json: defaultAction "SCMP_ACT_SHRUG"/],
    [localhost("profile.json"), /"profile\.json" is no absolute path/],
    [localhost(""), /"" is no absolute path/],
    [{ seccomp_profile_path: "localhost/profile.json" }, /"profile\.json" is no absolute path/],
    [{ seccomp_profile_path: "strict" }, /"strict" is not known/],
    [{ seccomp: { profile_type: 7 } }, /profile type 7 is not known/],
  ] as const) {
    const failure = await t.throwsAsync(pod.create("one", SLEEP, config(security)));
    t.like(failure, { code: status.INVALID_ARGUMENT });
    t.regex(String(failure?.message), words);
  }
  await pod.remove();
});

// A filter has 8 bytes an instruction, and its base64 ends in one of three ways.
for (const runtime of ["crun", "direct"]) {
  test(`what has been made of a profile before is given again, and the kernel says the same, however long the filter is (${runtime})`, async (t) => {
    const pod = await Pod.run(node(), {}, runtime);
    const ends = new Set<string>();
    for (const [name, denied] of Object.entries({ one: ["keyctl"], two: ["keyctl", "add_key"], three: ["keyctl", "add_key", "bpf"] })) {
      const path = await profile(`again-${name}-${runtime}.json`, {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: denied, action: "SCMP_ACT_ERRNO", errnoRet: 22 }],
      });
      const expected = { keyctl: "EINVAL", add_key: denied.includes("add_key") ? "EINVAL" : "EFAULT", "socket-inet": "ok" };
      for (const attempt of ["first", "again"]) {
        const container = await pod.start(`${name}-${attempt}`, SLEEP, config(localhost(path)));
        const spec = JSON.parse(await readFile(join(node().state, "pods", pod.id, "containers", container.id, "config.json"), "utf8"));
        const filter: string | undefined = spec.annotations?.["run.oci.seccomp_bpf_data"];
        t.is(filter === undefined, attempt === "first", `${name}, ${attempt}`);
        if (filter !== undefined) ends.add(/=*$/.exec(filter)?.[0] ?? "");
        t.deepEqual(await answers(container, Object.keys(expected)), expected, `${name}, ${attempt}`);
      }
    }
    t.deepEqual([...ends].sort(), ["", "=", "=="]);
    await pod.remove();
  });
}
