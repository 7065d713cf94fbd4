import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import test from "ava";
import { silentLog } from "../../../src/base/log.ts";
import { Edge } from "../../../src/cri/edge.ts";
import type { Engine } from "../../../src/cri/engine.ts";
import { runtimeService } from "../../../src/cri/runtime/service.ts";
import { RuntimeServiceService } from "../../../src/generated/cri/runtime/v1/api.ts";
import { Cri } from "../../lib/cri.ts";

test("before the node is ready its version is told, and a call that needs the node waits for it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-edge-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const engine = Promise.withResolvers<Engine>();
  const socket = join(folder, "berth.sock");
  const server = new Server();
  server.addService(RuntimeServiceService, runtimeService(new Edge(engine.promise, silentLog, "1.2.3")));
  await promisify(server.bindAsync.bind(server))(`unix:${socket}`, ServerCredentials.createInsecure());
  t.teardown(() => server.forceShutdown());
  const cri = new Cri(socket);
  t.teardown(() => cri.close());

  let isListed = false;
  const listing = cri.call("ListPodSandbox", {}).then((pods) => {
    isListed = true;
    return pods;
  });
  t.like(await cri.call("Version", {}), { runtime_name: "berth", runtime_version: "1.2.3" });
  t.false(isListed);
  engine.resolve({ sandboxes: { list: () => [] } } as unknown as Engine);
  t.deepEqual(await listing, { items: [] });
});
