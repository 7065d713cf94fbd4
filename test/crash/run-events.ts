// One run: many pods and containers come and go at once, and whoever watches is told of each change once, in the order of its object.
import { isDeepStrictEqual } from "node:util";
import type { Message } from "../lib/cri.ts";
import type { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { EventWatcher } from "./event-watcher.ts";
import { Random } from "./random.ts";

const POD = ["created", "started", "stopped", "deleted"];
const STARTED = ["created", "started", "stopped", "deleted"];
const NEVER_STARTED = ["created", "deleted"];
const CHANGES_OF_A_LIFE = POD.length + STARTED.length + NEVER_STARTED.length;

export interface EventRun {
  readonly seed: number;
  readonly changes: number;
  /** pods at the same time */
  readonly pods: number;
}

/** @returns what was done @throws Error with what was told otherwise than it was */
export async function runEvents(node: TestNode, { seed, changes, pods }: EventRun): Promise<string> {
  const random = new Random(seed);
  const watcher = await EventWatcher.begin(node.socket, random.fork());
  const [told, toldLate]: [Message[], Message[]] = [[], []];
  const [kubelet, slow] = [watchAsKubelet(node, (event) => told.push(event)), watchAsKubelet(node, (event) => toldLate.push(event))];
  await Promise.all([kubelet.ready, slow.ready]);
  slow.pause();
  const expected = new Map<string, readonly string[]>();
  let left = Math.ceil(changes / CHANGES_OF_A_LIFE);
  const lane = async (): Promise<void> => {
    while (left-- > 0) await life(node, expected);
  };
  await Promise.all(Array.from({ length: pods }, lane));
  slow.resume();
  const lives = await watcher.end();
  await node.eventually("the kubelet's streams have as many", async () =>
    [told, toldLate].every((events) => events.length >= countOf(lives)) ? true : undefined,
  );
  kubelet.end();
  slow.end();
  const all = { "berth.v1": lives, "the kubelet's stream": byId(told), "the kubelet's stream, read late": byId(toldLate) };
  for (const [whose, found] of Object.entries(all)) {
    for (const id of new Set([...expected.keys(), ...found.keys()])) {
      if (!isDeepStrictEqual(found.get(id), expected.get(id)))
        throw new Error(`seed ${seed}: ${whose}: of ${id} was told ${found.get(id)?.join(", ")}, and not ${expected.get(id)?.join(", ")}`);
    }
  }
  return `seed ${seed}, ${countOf(expected)} changes of ${expected.size} pods and containers, ${pods} pods at a time: ${watcher.summary}`;
}

async function life(node: TestNode, expected: Map<string, readonly string[]>): Promise<void> {
  const pod = await Pod.run(node);
  const container = await pod.start("started", ["true"]);
  const never = await pod.create("never-started", ["true"]);
  await container.reached("CONTAINER_EXITED");
  await Promise.all([container.remove(), never.remove()]);
  await pod.remove();
  expected.set(pod.id, POD).set(container.id, STARTED).set(never.id, NEVER_STARTED);
}

const watchAsKubelet = (node: TestNode, take: (event: Message) => void) => node.cri.stream("GetContainerEvents", {}, take);

const countOf = (lives: ReadonlyMap<string, readonly string[]>): number =>
  [...lives.values()].reduce((sum, types) => sum + types.length, 0);

function byId(events: readonly Message[]): Map<string, readonly string[]> {
  const typeOf = (event: Message): string =>
    /^CONTAINER_(\w+)_EVENT$/.exec(String(event["container_event_type"]))?.[1]?.toLowerCase() ?? "";
  return new Map([...Map.groupBy(events, (event) => String(event["container_id"]))].map(([id, of]) => [id, of.map(typeOf)]));
}
