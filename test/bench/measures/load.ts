// Many pods at once: how fast they come and go, what they cost while they are there, and whether one more still costs the same.
import { alternate, type Bench, settle, watched } from "../bench.ts";
import { WORKLOAD } from "../images.ts";
import { type Memory, memoryOf, sumOf } from "../memory.ts";
import { clear, type Peer } from "../peer.ts";
import { BenchPod } from "../pod.ts";
import { StandingPods } from "../standing-pods.ts";
import { median, percentile } from "../statistics.ts";

const FEW_PODS = 10;
const READY_ROUNDS = 20;
const WARM_UP = 2;
const CALLS = 50;
const LONGEST_CALLS_MS = 10_000;
const IDLE_MS = 2000;
const LISTS = ["Version", "ListContainers", "ListPodSandbox", "ListContainerStats", "ListPodSandboxStats"];

export async function measureLoad(bench: Bench): Promise<void> {
  for (const peer of firstOfEachFirst(bench.peers)) {
    if (bench.isOver()) return;
    try {
      await new Load(bench, peer).run();
    } catch (failure) {
      bench.results.fail(peer.name, "load", failure);
      await clear(peer.runtime).catch(() => {});
    }
  }
}

/** Those that are compared come first, for the time may be up before all have been measured. */
function firstOfEachFirst(peers: readonly Peer[]): readonly Peer[] {
  const rank = (peer: Peer): number => peers.filter(({ runtime }) => runtime === peer.runtime).indexOf(peer);
  return peers.toSorted((a, b) => rank(a) - rank(b));
}

class Load {
  readonly #bench: Bench;
  readonly #peer: Peer;
  readonly #standing: StandingPods;

  constructor(bench: Bench, peer: Peer) {
    this.#bench = bench;
    this.#peer = peer;
    this.#standing = new StandingPods(bench, peer);
  }

  async run(): Promise<void> {
    const { pods, mostPods } = this.#bench.settings;
    const few = Math.min(FEW_PODS, pods);
    const empty = await this.#memory();
    await this.#manyAtOnce("ready", pods);
    this.#tellMemory(empty, await this.#memory());
    await this.#lists();
    await this.#readyAmong(pods);
    await this.#manyAtOnce("gone", few);
    await this.#readyAmong(few);
    // containerd would take too long for it, and one of Berth's tells as much as two.
    if (this.#peer.runtime.name === "berth" && this.#peer === this.#bench.peers[0] && mostPods > pods) {
      await this.#standing.become(mostPods);
      await this.#readyAmong(mostPods);
    }
    await this.#standing.become(0);
  }

  #tell(name: string, unit: string, value: number): void {
    this.#bench.results.add(this.#peer.name, name, unit, value);
  }

  async #manyAtOnce(what: string, becoming: number): Promise<void> {
    const count = Math.abs(becoming - this.#standing.count);
    const { name, runtime } = this.#peer;
    const { workers } = this.#bench.settings;
    const [startedAtMs, cpuMs] = [performance.now(), runtime.cgroup.cpuMs()];
    const { othersCpus } = await watched(this.#bench, () => this.#standing.become(becoming));
    const seconds = (performance.now() - startedAtMs) / 1000;
    this.#tell(`${workers} workers, pods ${what}`, "pods/s", count / seconds);
    this.#tell(`${workers} workers, CPU time, pod ${what}`, "ms", (runtime.cgroup.cpuMs() - cpuMs) / count);
    this.#bench.results.notes.push(`${workers} workers, ${what}, ${name}: others used ${othersCpus.toFixed(2)} CPUs`);
  }

  async #memory(): Promise<Memory> {
    await settle(IDLE_MS);
    const { name, cgroup, daemonPid } = this.#peer.runtime;
    return memoryOf(cgroup.processes(), new Map([[daemonPid, name]]));
  }

  /** Programs that were not there without pods come with them. */
  #tellMemory(empty: Memory, full: Memory): void {
    const { pods } = this.#bench.settings;
    const daemon = this.#peer.runtime.name;
    const isOverhead = (program: string): boolean => program !== WORKLOAD;
    this.#tell("PSS, no pods", "MiB", sumOf(empty, isOverhead) / 1024);
    this.#tell(`PSS, ${pods} pods`, "MiB", sumOf(full, isOverhead) / 1024);
    this.#tell(`PSS, ${pods} pods, the daemon's`, "MiB", sumOf(full, (program) => program === daemon) / 1024);
    this.#tell("PSS of a pod's processes", "MiB", sumOf(full, (program) => isOverhead(program) && !empty.has(program)) / 1024 / pods);
    const programs = [...full].map(([program, kib]) => `${program} ${(kib / 1024).toFixed(1)}`);
    this.#bench.results.notes.push(`PSS, ${pods} pods, ${this.#peer.name}: ${programs.join(", ")} MiB`);
  }

  async #lists(): Promise<void> {
    for (const call of LISTS) {
      const times: number[] = [];
      for (const over = performance.now() + LONGEST_CALLS_MS; times.length < CALLS && performance.now() < over; ) {
        const before = performance.now();
        await this.#peer.runtime.cri.call(call, {});
        times.push(performance.now() - before);
      }
      this.#tell(`${call}, ${this.#standing.count} pods, p50`, "ms", percentile(times, 50));
      this.#tell(`${call}, ${this.#standing.count} pods, p95`, "ms", percentile(times, 95));
    }
  }

  /** Pods that come and go beside the ones that stay. */
  async #readyAmong(count: number): Promise<void> {
    const what = `pod ready, ${count} pods there, p50`;
    const wanted = { undisturbed: READY_ROUNDS, most: READY_ROUNDS * this.#bench.settings.factor };
    const rounds = await alternate(this.#bench, what, [this.#peer], { wanted, warmUp: WARM_UP }, async (peer) => {
      const times = new Map<string, number>();
      const pod = await BenchPod.ready(this.#bench, peer, times);
      await pod.gone(new Map());
      return times.get("pod ready") ?? 0;
    });
    const times = rounds.get(this.#peer);
    if (times !== undefined) this.#tell(what, "ms", median(times));
  }
}
