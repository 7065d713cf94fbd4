// One pod after the other: how long until it runs and until it is gone, what a command in it takes, and the processor time of it all.
import { SpdyClient } from "../../lib/spdy-client.ts";
import { alternate, type Bench } from "../bench.ts";
import type { Peer } from "../peer.ts";
import { BenchPod, type Times } from "../pod.ts";
import { percentile } from "../statistics.ts";

const WARM_UP = 3;
const COMMAND = ["/bin/true"];
const EXEC_TIMEOUT_SECONDS = 10;

export async function measurePods(bench: Bench): Promise<void> {
  const { rounds, factor } = bench.settings;
  const wanted = { undisturbed: rounds, most: rounds * factor };
  const kept = await alternate(bench, "pods", bench.peers, { wanted, warmUp: WARM_UP }, (peer) => onePod(bench, peer));
  for (const [{ name: peer }, results] of kept) {
    for (const what of results[0]?.keys() ?? []) {
      const values = results.flatMap((times) => times.get(what) ?? []);
      bench.results.add(peer, `${what} p50`, "ms", percentile(values, 50));
      bench.results.add(peer, `${what} p95`, "ms", percentile(values, 95));
    }
  }
}

async function onePod(bench: Bench, peer: Peer): Promise<Times> {
  const { cgroup } = peer.runtime;
  const times: Times = new Map();
  const idleCpuMs = cgroup.cpuMs();
  const pod = await BenchPod.ready(bench, peer, times);
  times.set("CPU time, pod ready", cgroup.cpuMs() - idleCpuMs);
  await time(times, "ExecSync, a pod's first", () => execSync(peer, pod));
  await time(times, "ExecSync", () => execSync(peer, pod));
  await time(times, "exec over SPDY", () => spdyExec(peer, pod));
  const runningCpuMs = cgroup.cpuMs();
  await pod.gone(times);
  times.set("CPU time, pod gone", cgroup.cpuMs() - runningCpuMs);
  return times;
}

async function time(times: Times, what: string, body: () => Promise<void>): Promise<void> {
  const before = performance.now();
  await body();
  times.set(what, performance.now() - before);
}

async function execSync({ runtime }: Peer, { containerId }: BenchPod): Promise<void> {
  const request = { container_id: containerId, cmd: COMMAND, timeout: EXEC_TIMEOUT_SECONDS };
  const { exit_code } = await runtime.cri.call<{ exit_code: number }>("ExecSync", request);
  if (exit_code !== 0) throw new Error(`ExecSync of ${COMMAND}: exit code ${exit_code}`);
}

/** As crictl and kubectl do it: from the question for an address until the exit status is there. */
async function spdyExec({ runtime }: Peer, { containerId }: BenchPod): Promise<void> {
  const request = { container_id: containerId, cmd: COMMAND, tty: false, stdin: false, stdout: true, stderr: true };
  const { url } = await runtime.cri.call<{ url: string }>("Exec", request);
  const client = await SpdyClient.connect(url, ["v4.channel.k8s.io"]);
  try {
    const error = await client.open({ streamType: "error" });
    for (const streamType of ["stdout", "stderr"]) await client.open({ streamType });
    const status = await error.ended;
    if (!status.includes('"Success"')) throw new Error(`exec of ${COMMAND} over SPDY: ${status}`);
  } finally {
    client.socket.destroy();
  }
}
