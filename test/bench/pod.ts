// One pod as a kubelet makes and removes it, call by call, with the time that each took.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Message } from "../lib/cri.ts";
import type { Bench } from "./bench.ts";
import type { Cgroup } from "./cgroup.ts";
import { WORKLOAD } from "./images.ts";
import type { Peer } from "./peer.ts";

/** Milliseconds by what took them. */
export type Times = Map<string, number>;

const MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"];
const READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
const GRACE_SECONDS = 10;
const CALL_TIMEOUT_MS = 120_000;

let made = 0;

export class BenchPod {
  readonly id: string;
  readonly containerId: string;
  readonly logPath: string;
  readonly #peer: Peer;
  readonly #cgroup: Cgroup;

  private constructor(peer: Peer, ids: { readonly id: string; readonly containerId: string }, cgroup: Cgroup, logPath: string) {
    this.#peer = peer;
    this.id = ids.id;
    this.containerId = ids.containerId;
    this.#cgroup = cgroup;
    this.logPath = logPath;
  }

  /** Its container is created. */
  static async create(bench: Bench, peer: Peer, times: Times, command: readonly string[] = [`/bin/${WORKLOAD}`]): Promise<BenchPod> {
    const uid = `${process.pid}-${made++}`;
    const cgroup = peer.runtime.cgroup.below(`pod${uid}`);
    const logs = join(bench.logs, uid);
    await mkdir(logs, { recursive: true });
    const config = podConfig(uid, cgroup, logs);
    const { pod_sandbox_id: id } = await timed<{ pod_sandbox_id: string }>(peer, times, "RunPodSandbox", {
      config,
      runtime_handler: peer.handler,
    });
    const { container_id: containerId } = await timed<{ container_id: string }>(peer, times, "CreateContainer", {
      pod_sandbox_id: id,
      config: containerConfig(bench.images.workload, command),
      sandbox_config: config,
    });
    return new BenchPod(peer, { id, containerId }, cgroup, join(logs, "c.log"));
  }

  /** Created and started. */
  static async ready(bench: Bench, peer: Peer, times: Times): Promise<BenchPod> {
    const before = performance.now();
    const pod = await BenchPod.create(bench, peer, times);
    await pod.start(times);
    times.set("pod ready", performance.now() - before);
    return pod;
  }

  async start(times: Times): Promise<void> {
    await timed(this.#peer, times, "StartContainer", { container_id: this.containerId });
  }

  async gone(times: Times): Promise<void> {
    const before = performance.now();
    await timed(this.#peer, times, "StopContainer", { container_id: this.containerId, timeout: GRACE_SECONDS });
    await timed(this.#peer, times, "RemoveContainer", { container_id: this.containerId });
    await timed(this.#peer, times, "StopPodSandbox", { pod_sandbox_id: this.id });
    await timed(this.#peer, times, "RemovePodSandbox", { pod_sandbox_id: this.id });
    times.set("pod gone", performance.now() - before);
    this.#cgroup.remove();
  }
}

async function timed<Answer>({ runtime }: Peer, times: Times, call: string, request: Message): Promise<Answer> {
  const before = performance.now();
  const answer = await runtime.cri.call<Answer>(call, request, CALL_TIMEOUT_MS);
  times.set(call, performance.now() - before);
  return answer;
}

const seccomp = { profile_type: "RuntimeDefault" };
const namespaceOptions = { network: "POD", pid: "CONTAINER", ipc: "POD" };

const podConfig = (uid: string, cgroup: Cgroup, logs: string): Message => ({
  metadata: { name: `pod-${uid}`, uid, namespace: "bench", attempt: 0 },
  hostname: "bench",
  log_directory: logs,
  dns_config: { servers: ["10.96.0.10"], searches: ["bench.svc.cluster.local"], options: ["ndots:5"] },
  linux: { cgroup_parent: cgroup.path, security_context: { namespace_options: namespaceOptions, seccomp } },
});

const containerConfig = (image: string, command: readonly string[]): Message => ({
  metadata: { name: "c", attempt: 0 },
  image: { image },
  command,
  log_path: "c.log",
  linux: {
    resources: { cpu_period: 100_000, cpu_quota: 100_000, cpu_shares: 102, memory_limit_in_bytes: 64 * 1024 * 1024, oom_score_adj: 1000 },
    security_context: { namespace_options: namespaceOptions, no_new_privs: true, masked_paths: MASKED, readonly_paths: READONLY, seccomp },
  },
});
