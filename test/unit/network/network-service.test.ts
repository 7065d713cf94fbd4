import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { silentLog } from "../../../src/base/log.ts";
import type { DetachEndpoint, EnsureNetwork, EnsureNetworkResult, RemoveNetwork } from "../../../src/generated/berth/native/helper.ts";
import type { HostPortMapping } from "../../../src/network/host-ports.ts";
import { type EndpointPlan, type NetworkOptions, NetworkService } from "../../../src/network/network-service.ts";
import { Store } from "../../../src/store/store.ts";
import { FakeHelper } from "../../lib/fake-helper.ts";

/** The table of nftables, as far as ports go. */
class FakeTable extends FakeHelper {
  ports: number[] = [];
  made: EnsureNetwork | undefined;
  removed: RemoveNetwork[] = [];
  beforeMaking: () => Promise<void> = async () => {};
  beforeDetaching: () => Promise<void> = async () => {};

  override ensureNetwork = async (request: EnsureNetwork): Promise<EnsureNetworkResult> => {
    await this.beforeMaking();
    this.ports = request.hostPorts.map(({ hostPort }) => hostPort);
    this.made = request;
    return { warnings: [], tableFingerprint: 7n };
  };

  override removeNetwork = async (request: RemoveNetwork): Promise<void> => {
    this.removed.push(request);
  };

  override detachEndpoint = async (request: DetachEndpoint): Promise<void> => {
    const gone = request.hostPorts.map(({ hostPort }) => hostPort);
    this.ports = this.ports.filter((port) => !gone.includes(port));
    await this.beforeDetaching();
  };
}

interface TestNetwork {
  readonly service: NetworkService;
  readonly table: FakeTable;
  readonly add: (id: string, port: number) => Promise<EndpointPlan>;
  /** As after another start of berthd. */
  readonly again: (options: Partial<NetworkOptions>) => Promise<NetworkService>;
}

async function network(t: ExecutionContext, given: Partial<NetworkOptions> = {}): Promise<TestNetwork> {
  const root = await mkdtemp(join(tmpdir(), "berth-network-"));
  let store = await Store.open(root);
  t.teardown(async () => {
    await store.close();
    await rm(root, { recursive: true });
  });
  const table = new FakeTable();
  const options = {
    store,
    helper: table,
    log: silentLog,
    instanceId: "1a2b3c4d",
    bootId: "boot-1",
    bridge: "berth0",
    podSubnet: "10.88.0.0/16",
    mtu: 0,
    ...given,
  };
  const service = new NetworkService(options);
  const add = async (id: string, hostPort: number): Promise<EndpointPlan> => {
    const mapping: HostPortMapping = { protocol: "tcp", hostIp: "", hostPort, podPort: 80 };
    const plan = service.plan(id, [mapping], (other) => other);
    await store.commit(plan.change);
    return plan;
  };
  const again = async (more: Partial<NetworkOptions>): Promise<NetworkService> => {
    await store.close();
    store = await Store.open(root);
    return new NetworkService({ ...options, store, ...more });
  };
  return { service, table, add, again };
}

/** Something that waits until it is let go. */
function gate(): { passed: () => Promise<void>; open: () => void; reached: Promise<void> } {
  let [open, arrive] = [(): void => {}, (): void => {}];
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const passed = (): Promise<void> => {
    arrive();
    return opened;
  };
  return { open, reached, passed };
}

test("a table that is made anew has the ports of the pods that are there", async (t) => {
  const { service, table, add } = await network(t);
  await add("one", 1);
  await add("two", 2);
  await service.ensure();
  t.deepEqual(table.ports, [1, 2]);
  await service.release("one");
  await service.mend();
  t.deepEqual(table.ports, [2]);
});

test("ports of a pod that leaves while the table is made are not left in it", async (t) => {
  const { service, table, add } = await network(t);
  await add("one", 1);
  await add("two", 2);
  const making = gate();
  table.beforeMaking = making.passed;
  const made = service.ensure();
  await making.reached;
  const released = service.release("one");
  making.open();
  await Promise.all([made, released]);
  t.deepEqual(table.ports, [2]);
});

test("a table that is made while a pod leaves is without its ports", async (t) => {
  const { service, table, add } = await network(t);
  await service.ensure();
  await add("one", 1);
  await add("two", 2);
  const detaching = gate();
  table.beforeDetaching = detaching.passed;
  const released = service.release("one");
  await detaching.reached;
  await service.mend();
  t.deepEqual(table.ports, [2]);
  detaching.open();
  await released;
  t.notThrows(() => service.plan("three", [{ protocol: "tcp", hostIp: "", hostPort: 1, podPort: 80 }], (other) => other));
});

const DUAL = "10.88.0.0/16,fd00:88::/64";

test("a pod of a network of both families has an address and a port of each", async (t) => {
  const { add } = await network(t, { podSubnet: DUAL });
  const { endpoint, hostPorts } = await add("one", 8080);
  t.deepEqual(endpoint.addresses, [
    { addressPrefix: "10.88.0.2/16", gateway: "10.88.0.1" },
    { addressPrefix: "fd00:88::2/64", gateway: "fd00:88::1" },
  ]);
  t.deepEqual(
    hostPorts.map(({ hostIp, podAddress }) => [hostIp, podAddress]),
    [
      ["0.0.0.0", "10.88.0.2"],
      ["::", "fd00:88::2"],
    ],
  );
});

test("a port of a family that pods have no address of is refused, and nothing is held of the pod", async (t) => {
  const { service } = await network(t);
  const mapping: HostPortMapping = { protocol: "tcp", hostIp: "::1", hostPort: 80, podPort: 80 };
  const failure = t.throws(() => service.plan("one", [mapping], (other) => other));
  t.like(failure, { kind: "failed-precondition" });
  t.regex(String(failure?.message), /tcp \[::1\]:80: pods have addresses of 10\.88\.0\.0\/16 only/);
  t.is(service.plan("two", [], (other) => other).record.address, "10.88.0.2");
});

test("when one family has no address left, none of the other is held", async (t) => {
  const { add, service } = await network(t, { podSubnet: "10.88.0.0/30,fd00:88::/64" });
  await add("one", 1);
  t.like(
    t.throws(() => service.plan("two", [], (other) => other)),
    { kind: "resource-exhausted", message: "take address: all 1 addresses of 10.88.0.0/30 are in use" },
  );
  await service.release("one");
  t.is(service.plan("three", [], (other) => other).record.additional?.[0]?.address, "fd00:88::3");
});

test("pods keep their addresses: a family may be added while they run, and none be taken away or changed", async (t) => {
  const { add, again, service } = await network(t);
  await service.ensure();
  await add("one", 1);
  await t.notThrowsAsync(again({ podSubnet: DUAL }));
  for (const other of [{ podSubnet: "10.89.0.0/16" }, { podSubnet: "10.88.0.0/24" }, { podSubnet: "fd00:88::/64" }, { bridge: "other0" }])
    t.like(await t.throwsAsync(again(other)), { kind: "failed-precondition" }, JSON.stringify(other));
});

test("without pods another bridge takes the place of the one before", async (t) => {
  const { again, service, table } = await network(t);
  await service.ensure();
  await (await again({ bridge: "other0" })).ensure();
  t.deepEqual(
    table.removed.map(({ bridge, bridgeAlias }) => [bridge, bridgeAlias]),
    [["berth0", "berth:1a2b3c4d"]],
  );
  t.is(table.made?.bridge, "other0");
});

test("an MTU that IPv6 can't live with is refused", async (t) => {
  const failure = await t.throwsAsync(network(t, { podSubnet: DUAL, mtu: 1279 }));
  t.like(failure, { kind: "invalid-argument" });
});

test("a network that was refused before anything was made is not put back at the end", async (t) => {
  const { service, table } = await network(t);
  table.beforeMaking = () => Promise.reject(new AgentError("failed-precondition", "the bridge is another's"));
  t.like(await t.throwsAsync(service.ensure()), { kind: "failed-precondition" });
  t.regex(String(service.problem), /the bridge is another's$/);
  await service.removeUnused();
  t.deepEqual(table.removed, []);
  table.beforeMaking = () => Promise.reject(new AgentError("internal", "half of it is made"));
  t.like(await t.throwsAsync(service.ensure()), { kind: "unavailable" });
  await service.removeUnused();
  t.is(table.removed.length, 1);
});
