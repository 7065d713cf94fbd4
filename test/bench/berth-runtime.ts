// Berth as the bench runs it: a test's node, in cgroups of the bench.
import { TestNode } from "../lib/node.ts";
import type { Teardown } from "../lib/teardown.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Runtime } from "./peer.ts";

export async function startBerth(t: Teardown, cgroup: Cgroup, client: Cgroup): Promise<Runtime> {
  cgroup.below("daemon").enter();
  try {
    // containerd logs as little.
    const node = await TestNode.start(t, { withImage: false, flags: ["--log-level", "warn"] });
    return { name: "berth", cri: node.cri, cgroup, daemonPid: node.pid };
  } finally {
    client.enter();
  }
}
