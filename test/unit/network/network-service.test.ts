import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { silentLog } from "../../../src/base/log.ts";
import type { DetachEndpoint, EnsureNetwork, EnsureNetworkResult } from "../../../src/generated/berth/native/helper.ts";
import type { HostPortMapping } from "../../../src/network/host-ports.ts";
import { NetworkService } from "../../../src/network/network-service.ts";
import { Store } from "../../../src/store/store.ts";
import { FakeHelper } from "../../lib/fake-helper.ts";

/** The table of nftables, as far as ports go. */
class FakeTable extends FakeHelper {
  ports: number[] = [];
  beforeMaking: () => Promise<void> = async () => {};
  beforeDetaching: () => Promise<void> = async () => {};

  override ensureNetwork = async (request: EnsureNetwork): Promise<EnsureNetworkResult> => {
    await this.beforeMaking();
    this.ports = request.hostPorts.map(({ hostPort }) => hostPort);
    return { warnings: [] };
  };

  override detachEndpoint = async (request: DetachEndpoint): Promise<void> => {
    const gone = request.hostPorts.map(({ hostPort }) => hostPort);
    this.ports = this.ports.filter((port) => !gone.includes(port));
    await this.beforeDetaching();
  };
}

async function network(
  t: ExecutionContext,
): Promise<{ service: NetworkService; table: FakeTable; add: (id: string, port: number) => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "berth-network-"));
  const store = await Store.open(root);
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
    bridge: "berth0",
    podSubnet: "10.88.0.0/16",
    mtu: 0,
  };
  const service = new NetworkService(options);
  const add = async (id: string, hostPort: number): Promise<void> => {
    const mapping: HostPortMapping = { protocol: "tcp", hostIp: "", hostPort, podPort: 80 };
    await store.commit(service.plan(id, [mapping], (other) => other).change);
  };
  return { service, table, add };
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
