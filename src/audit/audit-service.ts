// Compares the records with what exists, and mends the difference: at the start of berthd, every minute, and when it is asked.
// What somebody is working on is not judged, and a difference is believed only when it is seen twice. Nothing here waits for the
// lock of a pod or a container.
import { join } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { InHand } from "../base/in-hand.ts";
import { KeyedLock } from "../base/keyed-lock.ts";
import type { Log } from "../base/log.ts";
import type { ContainerService } from "../container/container-service.ts";
import type { ImageService } from "../image/image-service.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { compare } from "./compare.ts";
import { type Difference, inMendingOrder, keyOf } from "./difference.ts";
import { look } from "./look.ts";
import { mend } from "./mend.ts";
import type { Places, Records } from "./records.ts";
import { Retries } from "./retries.ts";

export interface AuditOptions {
  readonly helper: Helper;
  readonly sandboxes: SandboxService;
  readonly containers: ContainerService;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly inHand: InHand;
  readonly log: Log;
  readonly root: string;
  readonly state: string;
  readonly uploadDir: string;
  readonly cgroupParent: string;
  /** Whether the instance id is in its name. */
  readonly ownsCgroupParent: boolean;
}

interface AuditedDifference extends Difference {
  readonly mended: boolean;
  /** why it could not be mended; "" when that was not tried */
  readonly failure: string;
}

export interface AuditResult {
  readonly differences: readonly AuditedDifference[];
  /** pods that somebody works on, and were left out */
  readonly busyPods: number;
  /** There is more than the helper lists: what is missing can't be told. */
  readonly truncated: boolean;
}

const EVERY_MS = 60_000;
// A step that is stuck must not hold up the end of berthd; the next start looks again.
const LONGEST_STOP_MS = 2000;

export class AuditService {
  readonly #options: AuditOptions;
  readonly #lock = new KeyedLock();
  readonly #retries: Retries;
  #timer: NodeJS.Timeout | undefined;
  #repairing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#retries = new Retries(options.log);
  }

  /** Mends what is to be mended, now and from now on. */
  start(): void {
    this.#repairing = this.#repair().finally(() => {
      if (!this.#stopped) this.#timer = setTimeout(() => this.start(), EVERY_MS).unref();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.race([this.#repairing, new Promise((resolve) => setTimeout(resolve, LONGEST_STOP_MS))]);
  }

  /** @param repair mends what can be mended, and tells of each difference whether that went well */
  async audit(repair: boolean): Promise<AuditResult> {
    return await this.#lock.run("audit", async () => {
      const { differences, ...rest } = await this.#confirmed();
      const failures = repair ? await this.#mendAll(differences) : new Map<string, string>();
      const audited = differences.map((difference) => {
        const failure = failures.get(keyOf(difference));
        return { ...difference, mended: failure === "", failure: failure ?? "" };
      });
      return { ...rest, differences: audited };
    });
  }

  async #repair(): Promise<void> {
    await this.#lock.run("audit", async () => {
      try {
        const { differences } = await this.#confirmed();
        this.#retries.seen(differences);
        const failures = await this.#mendAll(differences.filter((each) => this.#retries.isDue(each)));
        for (const difference of differences) this.#retries.tried(difference, failures.get(keyOf(difference)));
      } catch (failure) {
        this.#options.log.warn({ err: messageOf(failure) }, "records could not be compared with what exists");
      }
    });
  }

  /** A second look is taken only when the first finds something. */
  async #confirmed(): Promise<{ differences: Difference[]; busyPods: number; truncated: boolean }> {
    const first = await this.#compare();
    const busyPods = this.#options.sandboxes.records().filter(({ id }) => this.#options.sandboxes.isBusy(id)).length;
    if (first.differences.length === 0) return { ...first, busyPods };
    const keys = new Set(first.differences.map(keyOf));
    const second = await this.#compare();
    return { ...second, busyPods, differences: second.differences.filter((each) => keys.has(keyOf(each))) };
  }

  /** What is idle, before and after the look. @param held pod that the caller holds himself */
  async #compare(held = ""): Promise<{ differences: Difference[]; truncated: boolean }> {
    const { helper, inHand, sandboxes, containers, network } = this.#options;
    const [before, places] = [this.#records(), this.#places()];
    const busy = new Set(
      [...before.sandboxes.filter(({ id }) => sandboxes.isBusy(id)), ...before.containers.filter(({ id }) => containers.isBusy(id))].map(
        ({ id }) => String(id),
      ),
    );
    busy.delete(held);
    const seen = await look(helper, network, before, places);
    const found = { ...seen, temporary: seen.temporary.filter((path) => !inHand.has(path)) };
    // Records of after the look: what has come meanwhile has a record by now.
    const all = compare(this.#records(), found, places);
    return { differences: all.filter((each) => !this.#isBusy(each, busy, held)), truncated: found.truncated };
  }

  #isBusy({ sandboxId, containerId, object }: Difference, busyBefore: ReadonlySet<string>, held: string): boolean {
    const { sandboxes, containers, images } = this.#options;
    if (busyBefore.has(sandboxId) || busyBefore.has(containerId) || images.parts.isBusy(object)) return true;
    return (sandboxId !== held && sandboxes.isBusy(sandboxId)) || containers.isBusy(containerId);
  }

  /** @returns by key: why it could not be mended, "" when it was; nothing for what was left alone */
  async #mendAll(differences: readonly Difference[]): Promise<ReadonlyMap<string, string>> {
    const outcome = new Map<string, string>();
    const bySandbox = Map.groupBy(differences, ({ sandboxId }) => sandboxId);
    for (const [sandboxId, all] of bySandbox) {
      const mendable = new Set(all.filter(({ mend: { step } }) => step !== "none").map(keyOf));
      if (mendable.size === 0) continue;
      if (sandboxId === "") await this.#mendEach(all, outcome);
      else await this.#options.sandboxes.whileIdle(sandboxId, () => this.#mendHeld(sandboxId, mendable, outcome));
    }
    return outcome;
  }

  /** Looks again, now that nobody else can change the pod. */
  async #mendHeld(sandboxId: string, wanted: ReadonlySet<string>, outcome: Map<string, string>): Promise<void> {
    const still = async (): Promise<Difference[]> =>
      (await this.#compare(sandboxId)).differences.filter((each) => each.sandboxId === sandboxId && wanted.has(keyOf(each)));
    const first = await still();
    const settling = first.filter(({ mend: { step } }) => step === "settle-pod");
    await this.#mendEach(settling.slice(0, 1), outcome);
    for (const each of settling) outcome.set(keyOf(each), outcome.get(keyOf(settling[0] ?? each)) ?? "");
    // A pod that was settled is another than it was.
    const rest = settling.length === 0 ? first : await still();
    await this.#mendEach(
      rest.filter(({ mend: { step } }) => step !== "settle-pod"),
      outcome,
    );
    // What went with something else, or by itself.
    for (const key of wanted) if (!outcome.has(key)) outcome.set(key, "");
  }

  async #mendEach(differences: readonly Difference[], outcome: Map<string, string>): Promise<void> {
    const { helper, sandboxes, containers, network, images } = this.#options;
    const tools = { helper, sandboxes, network, parts: images.parts };
    for (const difference of inMendingOrder(differences)) {
      const { containerId, mend: step } = difference;
      if (step.step === "none") continue;
      const work = async (): Promise<string> => await mend(difference, tools).then(() => "", messageOf);
      // Settling a pod takes the locks of its containers by itself.
      const holds = containerId !== "" && step.step !== "settle-pod";
      const failure = holds ? await containers.whileIdle(containerId, work) : await work();
      if (failure !== undefined) outcome.set(keyOf(difference), failure);
    }
  }

  #records(): Records {
    const { sandboxes, containers, network, images } = this.#options;
    return {
      sandboxes: sandboxes.records(),
      containers: containers.records(),
      endpoints: [...network.endpoints()],
      snapshots: images.parts.snapshots(),
      blobs: images.parts.blobs(),
    };
  }

  #places(): Places {
    const { root, state, cgroupParent, ownsCgroupParent, network, uploadDir } = this.#options;
    return {
      root,
      state,
      cgroupParent,
      ownsCgroupParent,
      linkAlias: network.linkAlias,
      nftTable: network.nftTable,
      hasNetwork: network.problem === undefined,
      temporaryFolders: [join(root, "content", "ingest"), join(root, "archives"), join(root, "checkpoints"), uploadDir],
    };
  }
}
