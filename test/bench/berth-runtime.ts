// Berth as the bench runs it: a test's node, in cgroups of the bench.
import { TestNode } from "../lib/node.ts";
import type { Teardown } from "../lib/teardown.ts";
import type { Cgroup } from "./cgroup.ts";
import type { Runtime } from "./peer.ts";

export async function startBerth(t: Teardown, cgroup: Cgroup, client: Cgroup): Promise<Runtime> {
  const daemons = cgroup.below("daemon");
  daemons.enter();
  try {
    // containerd logs as little.
    const node = await TestNode.start(t, { withImage: false, flags: ["--log-level", "warn"] });
    const boot = (): Promise<void> => {
      daemons.enter();
      try {
        // Its process is there when this returns; who waits for it is the client.
        return node.boot();
      } finally {
        client.enter();
      }
    };
    const daemon = { socket: node.socket, crash: () => node.crash(), shutdown: () => node.shutdown(), boot };
    return {
      name: "berth",
      cri: node.cri,
      cgroup,
      daemon,
      get daemonPid() {
        return node.pid;
      },
    };
  } finally {
    client.enter();
  }
}
