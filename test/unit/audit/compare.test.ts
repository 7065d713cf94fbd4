import test from "ava";
import { compare } from "../../../src/audit/compare.ts";
import { type Difference, inMendingOrder } from "../../../src/audit/difference.ts";
import type { Found } from "../../../src/audit/look.ts";
import type { Places, Records } from "../../../src/audit/records.ts";
import { type HostPort, PortProtocol, ProcessRole } from "../../../src/generated/berth/native/helper.ts";
import type { EndpointRecord } from "../../../src/network/records.ts";
import { containerRecord, sandboxRecord } from "../../lib/records.ts";

const POD = "a".repeat(64);
const CONTAINER = "c".repeat(64);

const places: Places = {
  root: "/var/lib/berth",
  state: "/run/berth",
  cgroupParent: "/berth-1",
  ownsCgroupParent: true,
  linkAlias: "berth:1:",
  nftTable: "berth_1",
  hasNetwork: true,
  temporaryFolders: [],
};

const sandbox = sandboxRecord({
  stateDir: `/run/berth/pods/${POD}`,
  socketPath: "/run/berth/s/aaaa",
  cgroupPath: `/berth-1/${POD}`,
  cgroupPrune: "/berth-1",
  portProxy: { pid: 101, startTicks: 2n },
});
const container = containerRecord({ state: "running", cgroupPath: `/berth-1/${POD}/${CONTAINER}` });
const endpoint: EndpointRecord = {
  id: POD,
  network: "default",
  hostInterface: "vetha",
  address: "10.88.0.2",
  prefixLength: 16,
  gateway: "10.88.0.1",
  hostPorts: [
    { protocol: "tcp", hostIp: "", hostPort: 80, podPort: 8080 },
    { protocol: "tcp", hostIp: "127.0.0.1", hostPort: 81, podPort: 8080 },
  ],
};
const port = (hostPort: number): HostPort => ({
  protocol: PortProtocol.PORT_PROTOCOL_TCP,
  hostIp: "0.0.0.0",
  hostPort,
  podAddress: "10.88.0.2",
  podPort: 8080,
});

const records: Records = {
  sandboxes: [sandbox],
  containers: [container],
  endpoints: [endpoint],
  snapshots: [{ id: "sha256:chain", number: 7, state: "committed", sizeBytes: 1n, inodes: 1n }],
  blobs: [{ id: "sha256:blob", sizeBytes: 5n }],
};

const whole = (path: string) => ({ path, hierarchies: 3, ofHierarchies: 3 });
const shim = { role: ProcessRole.PROCESS_ROLE_SHIM, sandboxId: POD, pid: 100, startTicks: 1n };
const root = { path: `/run/berth/pods/${POD}/containers/${CONTAINER}/rootfs`, shimPid: 100, shimStartTicks: 1n };

/** As the records say. */
const found: Found = {
  processes: [shim, { ...shim, role: ProcessRole.PROCESS_ROLE_PORT_PROXY, pid: 101, startTicks: 2n }],
  mounts: [root],
  cgroups: [whole(sandbox.cgroupPath), whole(container.cgroupPath)],
  links: [{ name: "vetha", alias: `berth:1:${POD}` }],
  hasNftTable: true,
  hostPorts: [port(80)],
  truncated: false,
  stateFolders: [POD],
  bundles: new Map([[POD, [CONTAINER]]]),
  sockets: ["aaaa"],
  writableFolders: [CONTAINER],
  layerFolders: ["7"],
  blobs: [{ name: "blob", sizeBytes: 5n }],
  temporary: [],
  network: [],
  alive: new Set(),
};

const differences = (change: Partial<Found> = {}, of: Partial<Records> = {}, at: Partial<Places> = {}): Difference[] =>
  compare({ ...records, ...of }, { ...found, ...change }, { ...places, ...at });

/** "class object: step" */
const told = (...all: Parameters<typeof differences>): string[] =>
  differences(...all).map(({ class: kind, object, mend }) => `${kind} ${object}: ${mend.step}`);

test("records and kernel that agree differ in nothing", (t) => {
  t.deepEqual(differences(), []);
});

test("a process of no ready pod, or of another start, is killed", (t) => {
  const second = { ...shim, pid: 200 };
  t.deepEqual(told({ processes: [...found.processes, second] }), ["shim process 200: kill-process"]);
  const stopped = { sandboxes: [{ ...sandbox, state: "notready" as const }] };
  t.true(told({}, stopped).includes("shim process 100: kill-process"));
});

test("a shim that has ended has its pod settled; one that is there under another name is believed", (t) => {
  const processes = found.processes.slice(1);
  t.true(told({ processes, mounts: [] }).includes("shim process 100: settle-pod"));
  t.false(told({ processes, mounts: [], alive: new Set([100]) }).some((line) => line.startsWith("shim")));
  t.deepEqual(told({ processes: [shim] }), ["port proxy process 101: none"]);
});

test("what was planned and never made is taken back", (t) => {
  t.true(told({}, { sandboxes: [{ ...sandbox, state: "planned" }] }).includes(`pod ${POD}: settle-pod`));
  t.true(told({}, { containers: [{ ...container, state: "planned" }] }).includes(`container ${CONTAINER}: settle-pod`));
});

test("mounts of no container, of another pod's shim, and of the node's namespace go", (t) => {
  const other = { ...root, path: `/run/berth/pods/${POD}/containers/dd/rootfs` };
  const inNode = { ...root, shimPid: 0, shimStartTicks: 0n };
  t.deepEqual(told({ mounts: [root, other] }), [`mount ${other.path}: release-mount`]);
  t.deepEqual(told({ mounts: [root, inNode] }), [`mount ${root.path}: release-mount`]);
  t.deepEqual(told({ mounts: [] }), [`mount ${root.path}: none`]);
  t.deepEqual(told({ mounts: [root, { ...root, path: `${root.path}/proc` }] }), []);
});

test("a cgroup of nobody goes as a whole, and only where all is ours", (t) => {
  const cgroups = [...found.cgroups, whole("/berth-1/x"), whole("/berth-1/x/y"), whole(`/berth-1/${POD}/z`)];
  t.deepEqual(told({ cgroups }), ["cgroup /berth-1/x: remove-cgroup", `cgroup /berth-1/${POD}/z: remove-cgroup`]);
  t.deepEqual(told({ cgroups }, {}, { ownsCgroupParent: false }), []);
});

test("the cgroup of a pod's commands is the pod's, also where the pod's own is below another parent", (t) => {
  const elsewhere = { sandboxes: [{ ...sandbox, cgroupPath: `/other/${POD}` }], containers: [] };
  const cgroups = [whole(`/other/${POD}`), { ...whole(`/berth-1/${POD}`), hierarchies: 0 }];
  t.deepEqual(told({ cgroups, bundles: new Map([[POD, []]]), mounts: [], writableFolders: [] }, elsewhere), []);
  const stopped = { ...elsewhere, sandboxes: elsewhere.sandboxes.map((each) => ({ ...each, state: "notready" as const })) };
  t.true(told({ cgroups }, stopped).includes(`cgroup /berth-1/${POD}: remove-cgroup`));
});

test("a pod's cgroup that is missing anywhere is made again, unless somebody else has made it", (t) => {
  const cgroups = [{ ...whole(sandbox.cgroupPath), hierarchies: 2 }, whole(container.cgroupPath)];
  t.deepEqual(told({ cgroups }), [`cgroup ${sandbox.cgroupPath}: make-cgroup`]);
  const foreign = { sandboxes: [{ ...sandbox, cgroupOwned: false }] };
  t.deepEqual(told({ cgroups }, foreign), []);
  t.deepEqual(told({ cgroups: [] }, foreign), [`cgroup ${sandbox.cgroupPath}: none`, `cgroup ${container.cgroupPath}: none`]);
});

test("a list that was cut off says nothing of what is missing", (t) => {
  t.deepEqual(told({ cgroups: [], links: [], truncated: true }), []);
});

test("links, addresses and host ports of no pod are given back", (t) => {
  t.deepEqual(told({ links: [...found.links, { name: "vethb", alias: "berth:1:bb" }] }), ["link vethb: delete-link"]);
  t.deepEqual(told({ links: [] }), ["link vetha: none"]);
  t.deepEqual(told({}, { endpoints: [endpoint, { ...endpoint, id: "bb", hostPorts: [], address: "10.88.0.3", hostInterface: "vethb" }] }), [
    "address 10.88.0.3: release-address",
  ]);
  t.deepEqual(told({ hostPorts: [port(80), port(90)] }), ["host port tcp 0.0.0.0:90 → 10.88.0.2:8080: make-network"]);
  t.deepEqual(told({ hostPorts: [] }), ["host port tcp 0.0.0.0:80 → 10.88.0.2:8080: make-network"]);
  t.deepEqual(told({ hasNftTable: false, hostPorts: [] }), []);
  t.deepEqual(told({ hostPorts: [] }, {}, { hasNetwork: false }), []);
});

test("a pod of both families has its ports in the table for each", (t) => {
  const additional = [{ address: "fd00:88::2", prefixLength: 64, gateway: "fd00:88::1" }];
  const dual = { endpoints: [{ ...endpoint, additional }] };
  t.deepEqual(told({}, dual), ["host port tcp [::]:80 → [fd00:88::2]:8080: make-network"]);
  t.deepEqual(told({ hostPorts: [port(80), { ...port(80), hostIp: "::", podAddress: "fd00:88::2" }] }, dual), []);
});

test("what the network is without is made again", (t) => {
  const network = [{ object: "bridge berth0", problem: "it is down" }];
  t.deepEqual(told({ network }), ["network bridge berth0: make-network"]);
});

test("folders and sockets of nobody go, and what a pod lacks is told", (t) => {
  t.deepEqual(told({ sockets: ["aaaa", "bbbb"], stateFolders: [POD, "bb"], bundles: new Map([[POD, [CONTAINER, "dd"]]]) }), [
    "socket /run/berth/s/bbbb: remove-file",
    "state folder /run/berth/pods/bb: remove-folder",
    `bundle /run/berth/pods/${POD}/containers/dd: remove-folder`,
  ]);
  t.deepEqual(told({ sockets: [], writableFolders: ["dd"], temporary: ["/var/lib/berth/uploads/x"] }), [
    "socket /run/berth/s/aaaa: none",
    "writable layer /var/lib/berth/containers/dd: remove-folder",
    "writable layer /var/lib/berth/containers/c: none",
    "temporary file /var/lib/berth/uploads/x: remove-folder",
  ]);
});

test("layers and blobs without record or file are no layers and blobs", (t) => {
  t.deepEqual(told({ layerFolders: ["7", "8"], blobs: [...found.blobs, { name: "other", sizeBytes: 1n }] }), [
    "layer snapshots/8: remove-layer-folder",
    "blob sha256:other: remove-blob-file",
  ]);
  t.deepEqual(told({ layerFolders: [], blobs: [{ name: "blob", sizeBytes: 4n }] }), [
    "layer sha256:chain: forget-layer",
    "blob sha256:blob: forget-blob",
  ]);
  const preparing = { snapshots: records.snapshots.map((each) => ({ ...each, state: "preparing" as const })) };
  t.deepEqual(told({ layerFolders: [] }, preparing), []);
});

test("what holds another thing is mended first", (t) => {
  const stray = differences({
    processes: [...found.processes, { ...shim, sandboxId: "bb", pid: 9 }],
    stateFolders: [POD, "bb"],
    cgroups: [...found.cgroups, whole("/berth-1/bb")],
  });
  t.deepEqual(
    inMendingOrder(stray.toReversed()).map(({ mend }) => mend.step),
    ["kill-process", "remove-cgroup", "remove-folder"],
  );
});
