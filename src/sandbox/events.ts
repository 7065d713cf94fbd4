// What is told of pods and containers when they change; derived from the records' states, so that nothing can change untold.
import { EventRing, type Numbered } from "../base/event-ring.ts";
import type { Change } from "../store/change.ts";
import type { Collection } from "../store/collection.ts";
import type { Store } from "../store/store.ts";
import type { SandboxRecord } from "./records.ts";
import type { SandboxState } from "./state.ts";

/** log-blocked: a container that runs waits for room for its log */
export type LifecycleEventType = "created" | "started" | "stopped" | "deleted" | "log-blocked";

interface LifecycleEvent {
  readonly type: LifecycleEventType;
  /** of the container; of the sandbox when the event is its own, as with containerd */
  readonly id: string;
  readonly sandboxId: string;
  readonly podName: string;
  readonly atNanos: bigint;
  /** as it was then; of what happened in the time of an earlier berthd it is not known */
  readonly sandbox?: SandboxRecord;
}

/** Its id is its number, in so many digits that they are read in order. */
interface EventRecord extends Omit<LifecycleEvent, "sandbox"> {
  readonly id: string;
  readonly subject: string;
}

// A pod's whole life is eight of them or so.
const KEPT_EVENTS = 4096;
const NUMBER_DIGITS = 15;

/** Each event is recorded with the change that it tells of, so that a kill of berthd leaves no gap. */
export class LifecycleEvents {
  readonly #records: Collection<EventRecord>;
  readonly #ring: EventRing<LifecycleEvent>;
  readonly #nowNanos: () => bigint;
  #lastNumber: number;

  /** @param instanceId of the node: cursors of another one are refused */
  constructor(store: Store, instanceId: string, nowNanos: () => bigint) {
    this.#records = store.collection<EventRecord>("event");
    this.#nowNanos = nowNanos;
    const past = [...this.#records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#ring = new EventRing(
      KEPT_EVENTS,
      instanceId,
      past.map(({ subject, id, ...event }) => ({ number: Number(id), event: { ...event, id: subject } })),
    );
    this.#lastNumber = this.#ring.newest;
  }

  /** The changes that record it; it is told when they are durable. @param id of the container, or the sandbox's own */
  add(type: LifecycleEventType, id: string, sandbox: SandboxRecord): readonly Change[] {
    const number = ++this.#lastNumber;
    const event = { type, id, sandboxId: sandbox.id, podName: sandbox.config.metadata.name, atNanos: this.#nowNanos() };
    const record = { ...event, id: idOf(number), subject: id };
    const old = idOf(number - KEPT_EVENTS);
    return [
      this.#records.put(record, () => this.#ring.append({ number, event: { ...event, sandbox } })),
      ...(this.#records.get(old) === undefined ? [] : [this.#records.delete(old)]),
    ];
  }

  get cursor(): string {
    return this.#ring.cursor;
  }

  /** As EventRing's. */
  read(cursor: string, follow: boolean, signal: AbortSignal): AsyncGenerator<Numbered<LifecycleEvent>> {
    return this.#ring.read(cursor, follow, signal);
  }
}

const idOf = (number: number): string => String(number).padStart(NUMBER_DIGITS, "0");

const REACHED: Readonly<Record<SandboxState, readonly LifecycleEventType[]>> = {
  planned: [],
  ready: ["created", "started"],
  notready: ["stopped"],
  removed: [],
};

/** @param before undefined: there was none @param after undefined: it is gone */
export function sandboxEventTypes(before: SandboxRecord | undefined, after: SandboxRecord | undefined): readonly LifecycleEventType[] {
  if (after === undefined) return before === undefined || before.state === "planned" ? [] : ["deleted"];
  return before?.state === after.state ? [] : REACHED[after.state];
}
