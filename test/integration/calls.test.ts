// Every call of the CRI has an answer: those that are not built yet say UNIMPLEMENTED, which callers know how to live with.
import { status } from "@grpc/grpc-js";
import test from "ava";
import { criDefinition } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t, { withImage: false }));

const NOT_BUILT = ["CheckpointContainer", "CheckpointPod", "RestorePod"];

const methods = ["runtime.v1.RuntimeService", "runtime.v1.ImageService"].flatMap((service) =>
  Object.entries(criDefinition[service] as Record<string, { responseStream: boolean }>),
);

test("there are 37 calls for pods and 6 for images", (t) => {
  t.is(methods.length, 43);
});

for (const name of methods.filter(([, { responseStream }]) => !responseStream).map(([name]) => name)) {
  test(`${name} is ${NOT_BUILT.includes(name) ? "not offered yet" : "there"}`, async (t) => {
    const { code, details } = await node()
      .cri.call(name, {})
      .then(
        () => ({ code: status.OK, details: "" }),
        (failure: { code: status; details: string }) => failure,
      );
    if (NOT_BUILT.includes(name)) t.like({ code, why: /not (saved|read) here/.test(details) }, { code: status.UNIMPLEMENTED, why: true });
    else t.true([status.OK, status.INVALID_ARGUMENT].includes(code), `code ${code}`);
  });
}

test("the node says who it is, and that it is ready", async (t) => {
  const version = await node().cri.call<Record<string, string>>("Version", {});
  t.like(version, { version: "0.1.0", runtime_name: "berth", runtime_api_version: "v1" });
  const { status: node_status } = await node().cri.call<{ status: { conditions: { type: string; status: boolean }[] } }>("Status", {});
  t.deepEqual(
    node_status.conditions.map(({ type, status }) => [type, status]),
    [
      ["RuntimeReady", true],
      ["NetworkReady", true],
      ["DiskHasRoom", true],
      ["LogsHaveRoom", true],
    ],
  );
  const { linux } = await node().cri.call<{ linux: { cgroup_driver: string } }>("RuntimeConfig", {});
  t.is(linux.cgroup_driver, "CGROUPFS");
});
