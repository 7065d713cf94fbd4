// Who is measured: a runtime that serves the CRI, with one of its OCI runtimes.
import type { Cri, Message } from "../lib/cri.ts";
import type { Cgroup } from "./cgroup.ts";

export interface Runtime {
  readonly name: "berth" | "containerd";
  readonly cri: Cri;
  /** with its own processes, what they started, and its pods */
  readonly cgroup: Cgroup;
  /** that runs now */
  readonly daemonPid: number;
  /** absent: it is not to be started again */
  readonly daemon?: Daemon;
}

export interface Daemon {
  readonly socket: string;
  /** kill -9 */
  crash(): Promise<void>;
  shutdown(): Promise<void>;
  /** resolves when it serves */
  boot(): Promise<void>;
}

export interface Peer {
  /** "berth+crun" */
  readonly name: string;
  readonly handler: string;
  readonly runtime: Runtime;
}

/** Takes all its pods away, whatever state they are in; what can't be is left for the bench's end. */
export async function clear({ cri }: Runtime): Promise<void> {
  const { items } = await cri.call<{ items: readonly Message[] }>("ListPodSandbox", {});
  for (const { id } of items) {
    await cri.call("StopPodSandbox", { pod_sandbox_id: id });
    await cri.call("RemovePodSandbox", { pod_sandbox_id: id });
  }
}
