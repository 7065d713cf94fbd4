// Kills processes of Berth at moments that the seed names: a while after the n-th call of the run has begun.
import { readFileSync } from "node:fs";
import { BERTHD_FAILPOINTS } from "./failpoints.ts";
import type { PodModel } from "./model.ts";
import type { Random } from "./random.ts";
import { pause, type World } from "./world.ts";

const WEIGHTS = {
  berthd: 30,
  helper: 20,
  shim: 18,
  "berthd and helper": 10,
  "all three": 8,
  SIGTERM: 8,
  "berthd twice": 6,
  "at a failpoint": 24,
} as const;
type Kill = keyof typeof WEIGHTS;

const LONGEST_DELAY_MS = 60;
const LONGEST_AWAY_MS = 500;
// Recovery takes so long.
const LONGEST_START_MS = 400;

// Long enough for a few calls.
const FAILPOINT_TIMEOUT_MS = 3000;

interface Planned {
  readonly kill: Kill;
  readonly failpoint: string;
  readonly delayMs: number;
  readonly awayMs: number;
  readonly startMs: number;
}

export class Killer {
  readonly #world: World;
  readonly #random: Random;
  readonly #plan = new Map<number, Planned>();
  /** one after the other, so that berthd is there to be killed */
  #last: Promise<void> = Promise.resolve();

  /** @param calls how long the run is @param kills how many there are in it */
  constructor(world: World, random: Random, calls: number, kills: number) {
    this.#world = world;
    this.#random = random;
    for (let left = kills; left > 0; left--) {
      const startMs = random.below(LONGEST_START_MS);
      const awayMs = random.chance(50) ? 0 : random.below(LONGEST_AWAY_MS);
      const [kill, failpoint] = [random.weighted(WEIGHTS), random.pick(BERTHD_FAILPOINTS)];
      this.#plan.set(random.between(1, calls), { kill, failpoint, delayMs: random.below(LONGEST_DELAY_MS), awayMs, startMs });
    }
    world.watchCalls((call) => this.#called(call));
  }

  /** When all kills that were planned until now are over. */
  async idle(): Promise<void> {
    await this.#last;
  }

  #called(call: number): void {
    const planned = this.#plan.get(call);
    if (planned === undefined || this.#world.aborted) return;
    const due = pause(planned.delayMs);
    this.#last = this.#last.then(async () => {
      await due;
      if (this.#world.aborted) return;
      await this.#world.disturb(() => this.#do(planned));
      this.#world.journal.count(`kill of ${planned.kill}`);
    });
    this.#last.catch((failure: unknown) => {
      this.#world.failure ??= failure;
    });
  }

  async #do({ kill, failpoint, awayMs, startMs }: Planned): Promise<void> {
    const { node, journal } = this.#world;
    const victim = kill === "shim" || kill === "all three" ? this.#victim() : undefined;
    const helper = /helper|three/.test(kill) ? await node.helperPid() : 0;
    journal.step("node", `kill: ${kill}${victim === undefined ? "" : ` (${victim.name})`}, away for ${awayMs} ms`);
    if (/berthd|three/.test(kill)) process.kill(node.pid, "SIGKILL");
    if (helper !== 0) end(helper);
    if (victim !== undefined) {
      victim.shimKilledAtMs = performance.now();
      end(victim.shimPid);
    }
    if (kill === "shim" || kill === "helper") return;
    journal.keep(node.log);
    await (kill === "SIGTERM" ? node.shutdown() : node.crash());
    await pause(awayMs);
    if (kill === "berthd twice") {
      const first = node.boot();
      await pause(startMs);
      journal.step("node", `kill: berthd again, ${startMs} ms after its start`);
      await node.crash();
      await Promise.all([first, node.boot()]);
    } else {
      if (kill === "at a failpoint") await this.#passFailpoint(failpoint);
      await node.boot();
    }
    journal.step("node", "berthd serves again");
  }

  /** Calls of the run bring it there. */
  async #passFailpoint(failpoint: string): Promise<void> {
    const { node, journal } = this.#world;
    const isPassed = await node.bootUntil(failpoint, FAILPOINT_TIMEOUT_MS);
    journal.step("node", `kill: berthd, ${isPassed ? "at" : "which did not come to"} "${failpoint}"`);
    journal.count(isPassed ? `failpoint ${failpoint}` : "failpoint not passed");
    journal.keep(node.log);
    await node.crash();
  }

  #victim(): PodModel | undefined {
    const all = [...this.#world.pods].filter(
      ({ shimPid, shimKilledAtMs, removed }) => shimKilledAtMs === undefined && removed === "no" && isShim(shimPid),
    );
    return all.length === 0 ? undefined : this.#random.pick(all);
  }
}

/** A pid may be another's by now. */
function isShim(pid: number): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("berth-shim");
  } catch {
    return false;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
