// Says in one line what an object waits for. It reads records, the calls in flight, and what the pod's shim says; it takes no lock, and
// a shim that does not answer at once is not waited for.
import type { Activities } from "../base/activity.ts";
import { AgentError } from "../base/errors.ts";
import type { ContainerService } from "../container/container-service.ts";
import type { ContainerRecord } from "../container/records.ts";
import type { ImageService } from "../image/image-service.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { SandboxRecord } from "../sandbox/records.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { type Answer, still } from "./answer.ts";
import { explainActivities } from "./explain-activity.ts";
import { explainContainer } from "./explain-container.ts";
import { buildNotes, explainSandbox, networkNotes, type ShimWords } from "./explain-sandbox.ts";

export interface WhyOptions {
  readonly activities: Activities;
  readonly sandboxes: SandboxService;
  readonly containers: ContainerService;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly helper: Pick<Helper, "callsInFlight">;
  readonly nowNanos: () => bigint;
}

const SHIM_ANSWERS_WITHIN_MS = 500;
const SILENT = "its shim does not answer";
// native/helper/src/pool.rs
const HELPER_WORKERS = 64;

export class WhyService {
  readonly #options: WhyOptions;

  constructor(options: WhyOptions) {
    this.#options = options;
  }

  /**
   * @param text the id of a pod or container, what people call one whose call is under way, or the name of an image
   * @throws AgentError not-found
   */
  async explain(text: string): Promise<Answer> {
    const { activities, sandboxes, containers, images, nowNanos } = this.#options;
    const container = containers.records().find(({ id }) => id === text);
    if (container !== undefined) return await this.#container(container);
    const sandbox = sandboxes.records().find(({ id }) => id === text);
    if (sandbox !== undefined) return await this.#sandbox(sandbox);
    const [first] = activities.named(text);
    const underWay =
      first === undefined ? undefined : explainActivities(activities.of(first.objectId), undefined, this.#notes(), nowNanos());
    if (underWay !== undefined) return underWay;
    if (images.find(text) !== undefined) return still("the image is on this node", 0n, nowNanos());
    throw new AgentError(
      "not-found",
      `explain ${JSON.stringify(text)}: no pod, container or image is called so, and no call for one is under way`,
    );
  }

  async #container(container: ContainerRecord): Promise<Answer> {
    const { activities, nowNanos } = this.#options;
    const { containers, notes } = await this.#askShim(container.sandboxId);
    const shim = containers.find(({ containerId }) => containerId === container.id);
    const own = activities.of(container.id);
    // What is done to the whole pod holds up its containers.
    const all = own.length > 0 ? own : activities.of(container.sandboxId).filter(({ objectId }) => objectId === container.sandboxId);
    return explainActivities(all, shim, [...this.#notes(), ...notes], nowNanos()) ?? explainContainer(container, shim, nowNanos(), notes);
  }

  async #sandbox(sandbox: SandboxRecord): Promise<Answer> {
    const { activities, containers, network, nowNanos } = this.#options;
    const all = activities.of(sandbox.id);
    const about = all.find(({ waitsForLock }) => !waitsForLock)?.objectId;
    const [words, build] = [await this.#askShim(sandbox.id), buildNotes(await this.#options.sandboxes.shimBuild(sandbox.id))];
    const shim = words.containers.find(({ containerId }) => containerId === about);
    const notes = sandbox.config.network === "bridge" && sandbox.state === "planned" ? networkNotes(network) : [];
    const inside = containers.records().filter(({ sandboxId }) => sandboxId === sandbox.id);
    return (
      explainActivities(all, shim, [...this.#notes(), ...words.notes, ...notes], nowNanos()) ??
      explainSandbox(sandbox, inside, { ...words, notes: [...words.notes, ...build] }, network, nowNanos())
    );
  }

  #notes(): string[] {
    const { callsInFlight } = this.#options.helper;
    return callsInFlight > HELPER_WORKERS ? [`the helper has ${callsInFlight} calls in hand, and works on ${HELPER_WORKERS} at once`] : [];
  }

  async #askShim(sandboxId: SandboxRecord["id"]): Promise<ShimWords> {
    const asked = this.#options.sandboxes.findShim(sandboxId)?.hello();
    if (asked === undefined) return { containers: [], notes: [] };
    const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), SHIM_ANSWERS_WITHIN_MS).unref());
    const hello = await Promise.race([asked.catch(() => undefined), late]);
    return { containers: hello?.containers ?? [], notes: hello === undefined ? [SILENT] : [] };
  }
}
