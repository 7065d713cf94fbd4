import test from "ava";
import {
  ContainerState,
  MountPropagation,
  NamespaceMode,
  Protocol,
  SecurityProfile_ProfileType as ProfileType,
} from "../../../src/generated/cri/runtime/v1/api.ts";
import type { ContainerEntry, PodEntry } from "../../../src/cli/inventory.ts";
import { ownLogFolder } from "../../../src/cli/log-folder.ts";
import { containerConfig, podConfig } from "../../../src/cli/run-config.ts";
import { defaultName, parseCpus, parseName, parsePair, parseUser, type RunOptions } from "../../../src/cli/run-options.ts";
import { nextAttempt, podToJoin } from "../../../src/cli/run-target.ts";

const OPTIONS: RunOptions = { logRoot: "/var/log/pods" };
const CHOICE = { name: "web", attempt: 2, image: "a.example/web:1", imageId: "sha256:12", command: ["serve", "--all"] };

const pod = (options: Partial<RunOptions> = {}) => podConfig({ ...OPTIONS, ...options }, "shop", "u-1");
const container = (options: Partial<RunOptions> = {}) => containerConfig({ ...OPTIONS, ...options }, CHOICE);

test("a pod has the folder that the kubelet would give it, and says who made it", (t) => {
  t.deepEqual(pod().metadata, { name: "shop", uid: "u-1", namespace: "default", attempt: 0 });
  t.is(pod().logDirectory, "/var/log/pods/default_shop_u-1");
  t.deepEqual(pod().annotations, {
    "berth.io/made-by": "berth run",
    "berth.io/log-directory": "/var/log/pods/default_shop_u-1",
    "berth.io/rotate-logs": "true",
    "berth.io/made-for-one": "true",
  });
});

test("a pod that has a name of its own is not one container's", (t) => {
  t.is(pod({ pod: "shop" }).annotations["berth.io/made-for-one"], undefined);
});

test("networks: bridge is the pod's own, none says so, host is the node's", (t) => {
  const network = (options: Partial<RunOptions>) => pod(options).linux?.securityContext?.namespaceOptions?.network;
  t.is(network({ network: "bridge" }), NamespaceMode.POD);
  t.is(network({ network: "none" }), NamespaceMode.POD);
  t.is(network({ network: "host" }), NamespaceMode.NODE);
  t.is(pod({ network: "none" }).annotations["berth.io/network"], "none");
  t.is(pod({ network: "bridge" }).annotations["berth.io/network"], undefined);
});

test("the command goes after the image's entrypoint, and the log to the attempt's own file", (t) => {
  t.like(container(), { metadata: { name: "web", attempt: 2 }, command: [], args: ["serve", "--all"], logPath: "web/2.log" });
  t.like(container().image, { image: "sha256:12", userSpecifiedImage: "a.example/web:1" });
});

test("limits become the CRI's fields, and that of processes a cgroup file", (t) => {
  t.like(container({ memory: 67_108_864n, cpus: 0.5, pids: 32 }).linux?.resources, {
    memoryLimitInBytes: 67_108_864n,
    cpuPeriod: 100_000n,
    cpuQuota: 50_000n,
    cpuShares: 512n,
    unified: { "pids.max": "32" },
  });
  t.like(container().linux?.resources, { memoryLimitInBytes: 0n, cpuPeriod: 0n, cpuQuota: 0n, cpuShares: 0n, unified: {} });
});

test("CPU shares stay within what the kernel takes", (t) => {
  t.is(container({ cpus: 0.01 }).linux?.resources?.cpuShares, 10n);
  t.is(container({ cpus: 1000 }).linux?.resources?.cpuShares, 262_144n);
});

test("variables, mounts, user and folder are passed on", (t) => {
  const config = container({
    env: [["A", "1=2"]],
    volume: [{ hostPath: "/data", containerPath: "/srv", readonly: true, propagation: "private" }],
    user: { user: 1000n, group: 50n },
    workdir: "/srv",
    label: [["tier", "front"]],
  });
  t.deepEqual(
    config.envs.map(({ key, value }) => [key, Buffer.from(value).toString()]),
    [["A", "1=2"]],
  );
  t.like(config.mounts[0], { hostPath: "/data", containerPath: "/srv", readonly: true });
  t.like(config.linux?.securityContext, { runAsUser: { value: 1000n }, runAsGroup: { value: 50n }, runAsUsername: "" });
  t.is(config.workingDir, "/srv");
  t.deepEqual(config.labels, { tier: "front" });
});

test("a container sees no more of the kernel than the kubelet's would", (t) => {
  t.true(container().linux?.securityContext?.maskedPaths.includes("/proc/kcore"));
  t.true(container().linux?.securityContext?.readonlyPaths.includes("/proc/sys"));
});

test("a container is named after its image", (t) => {
  t.is(defaultName("busybox"), "busybox");
  t.is(defaultName("localhost:5000/team/web:1.2"), "web");
  t.is(defaultName(`a.example/web@sha256:${"a".repeat(64)}`), "web");
  t.is(defaultName(`sha256:${"ab".repeat(32)}`), "image-abababababab");
});

test("values of options are read, or refused with what they should be", (t) => {
  t.deepEqual(parsePair("K=a=b"), ["K", "a=b"]);
  t.deepEqual(parsePair("K="), ["K", ""]);
  t.is(parseCpus("0.5"), 0.5);
  t.is(parseCpus(".25"), 0.25);
  t.deepEqual(parseUser("app:50"), { user: "app", group: 50n });
  t.deepEqual(parseUser("0"), { user: 0n, group: undefined });
  const refused = [
    () => parsePair("K"),
    () => parsePair("=v"),
    () => parseCpus("0"),
    () => parseCpus("."),
    () => parseCpus("1e3"),
    () => parseUser(":5"),
    () => parseUser("app:staff"),
    () => parseName("../up"),
    () => parseName("a/b"),
  ];
  for (const read of refused) t.throws(read, { name: "UsageError" });
});

function entry(id: string, name: string, ready = true): PodEntry {
  return { id: id.padEnd(64, "0"), name, namespace: "default", uid: "u", ready, createdAtNanos: 1n, annotations: {}, labels: {} };
}

test("a pod is joined when it is named and ready", (t) => {
  const pods = [entry("aa", "shop"), entry("bb", "old", false), entry("cc", "twin"), entry("dd", "twin")];
  t.is(podToJoin({ pod: "shop" }, pods)?.name, "shop");
  t.is(podToJoin({ pod: "aa00000000000" }, pods)?.name, "shop");
  t.is(podToJoin({ pod: "aa" }, pods), undefined);
  t.is(podToJoin({ pod: "old" }, pods), undefined);
  t.is(podToJoin({}, pods), undefined);
  t.regex(t.throws(() => podToJoin({ pod: "twin" }, pods))?.message ?? "", /cc00000000000, dd00000000000/);
});

test("a pod that is joined has its network already", (t) => {
  t.throws(() => podToJoin({ pod: "shop", network: "host" }, [entry("aa", "shop")]), { name: "UsageError" });
});

test("a container made anew is the next attempt, and one that runs is not made again", (t) => {
  const shop = entry("aa", "shop");
  const made = (attempt: number, state: ContainerState): ContainerEntry => {
    return { id: `c${attempt}`, podId: shop.id, name: "web", attempt, state, image: "", imageId: "", createdAtNanos: 1n, labels: {} };
  };
  const exited = [made(0, ContainerState.CONTAINER_EXITED), made(3, ContainerState.CONTAINER_EXITED)];
  t.is(nextAttempt("web", shop, exited), 4);
  t.is(nextAttempt("db", shop, exited), 0);
  t.throws(() => nextAttempt("web", shop, [...exited, made(4, ContainerState.CONTAINER_RUNNING)]), { message: /has one of this name/ });
});

const SHOP = { namespace: "default", name: "shop", uid: "u-1" };
const madeByRun = (folder: string) => ({
  ...SHOP,
  annotations: { "berth.io/made-by": "berth run", "berth.io/log-directory": folder },
});

test("only the pod's own log folder is its to remove", (t) => {
  const own = "/logs/default_shop_u-1";
  t.is(ownLogFolder(madeByRun(own)), own);
  for (const other of ["/", "/etc", "/logs", "logs/default_shop_u-1", "/logs/default_shop_u-2", `${own}/..`, `${own}/`]) {
    t.is(ownLogFolder(madeByRun(other)), undefined, other);
  }
  t.is(ownLogFolder({ ...madeByRun(own), annotations: { "berth.io/log-directory": own } }), undefined);
  t.is(ownLogFolder({ ...madeByRun("/logs/default_shop_"), uid: "" }), undefined);
});

test("what a pod is made with goes to the pod, and a port, name servers and sysctls are as they were given", (t) => {
  const config = pod({
    hostname: "front",
    publish: [{ hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "udp" }],
    dns: ["10.0.0.1"],
    sysctl: [["net.core.somaxconn", "512"]],
    privileged: true,
  });
  t.like(config, { hostname: "front", dnsConfig: { servers: ["10.0.0.1"], searches: [] } });
  t.like(config.portMappings[0], { hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: Protocol.UDP });
  t.like(config.linux, { sysctls: { "net.core.somaxconn": "512" }, securityContext: { privileged: true } });
  t.is(pod().dnsConfig, undefined);
  t.is(pod({ network: "closed" }).annotations["berth.io/network"], "none");
});

test("a container has the default system call filter, and is confined unless it asks not to be", (t) => {
  const security = (options: Partial<RunOptions>) => container(options).linux?.securityContext;
  t.like(security({}), {
    privileged: false,
    readonlyRootfs: false,
    noNewPrivs: false,
    seccomp: { profileType: ProfileType.RuntimeDefault },
  });
  t.true(security({})?.maskedPaths.includes("/proc/kcore"));
  t.like(security({ seccomp: "unconfined" }), { seccomp: { profileType: ProfileType.Unconfined } });
  t.like(security({ seccomp: "/p.json" }), { seccomp: { profileType: ProfileType.Localhost, localhostRef: "/p.json" } });
  t.is(security({})?.apparmor, undefined);
  t.like(security({ apparmor: "unconfined" }), { apparmor: { profileType: ProfileType.Unconfined } });
  t.like(security({ apparmor: "default" }), { apparmor: { profileType: ProfileType.RuntimeDefault } });
  t.like(security({ apparmor: "mine" }), { apparmor: { profileType: ProfileType.Localhost, localhostRef: "mine" } });
  t.like(security({ privileged: true }), { privileged: true, maskedPaths: [], seccomp: { profileType: ProfileType.Unconfined } });
  t.like(security({ readOnly: true, newPrivileges: false, capAdd: ["NET_ADMIN"], capDrop: ["ALL"] }), {
    readonlyRootfs: true,
    noNewPrivs: true,
    capabilities: { addCapabilities: ["NET_ADMIN"], dropCapabilities: ["ALL"] },
  });
});

test("an entrypoint takes the place of the image's, and mounts of both forms come together", (t) => {
  const volume = { hostPath: "/a", containerPath: "/b", readonly: false, propagation: "rslave" } as const;
  const config = container({
    entrypoint: "/bin/sh",
    volume: [volume],
    mount: [{ ...volume, propagation: "rshared" }],
    device: [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rw" }],
  });
  t.deepEqual([config.command, config.args], [["/bin/sh"], ["serve", "--all"]]);
  t.deepEqual(
    config.mounts.map(({ propagation }) => propagation),
    [MountPropagation.PROPAGATION_HOST_TO_CONTAINER, MountPropagation.PROPAGATION_BIDIRECTIONAL],
  );
  t.like(config.devices[0], { hostPath: "/dev/fuse", permissions: "rw" });
});

for (const [option, value] of [
  ["publish", [{ hostIp: "", hostPort: 1, containerPort: 1, protocol: "tcp" }]],
  ["dnsSearch", ["example"]],
  ["hostname", "x"],
  ["sysctl", [["a", "b"]]],
] as const) {
  test(`a pod that is joined takes no ${option}`, (t) => {
    const options = { pod: "shop", [option]: value };
    t.throws(() => podToJoin(options, [entry("aa", "shop")]), { name: "UsageError", message: /leave --/ });
  });
}
