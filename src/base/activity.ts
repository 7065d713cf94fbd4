// What is being done, to which object, and how far it has come: the stages in flight, which a timeline has when they are over. Kept in
// memory only, and asked for without any lock.
import type { StageClock } from "./timeline.ts";
import type { KeyedLock } from "./keyed-lock.ts";

/** One call under way. */
export interface Activity {
  /** "StopContainer" */
  readonly call: string;
  readonly objectId: string;
  /** the pod of a container; "" for none */
  readonly parentId: string;
  /** what people call an object that may not be listed yet: "shop", "shop/web" */
  readonly names: readonly string[];
  readonly sinceNanos: bigint;
  /** "" before the first */
  readonly stage: string;
  readonly stageSinceNanos: bigint;
  /** when the stage ends by itself; 0n for never */
  readonly untilNanos: bigint;
  /** It waits for another call to let go of the object. */
  readonly waitsForLock: boolean;
}

export interface Subject {
  readonly objectId: string;
  readonly parentId?: string;
  readonly names?: readonly string[];
}

interface Running extends Activity {
  stage: string;
  stageSinceNanos: bigint;
  untilNanos: bigint;
  waitsForLock: boolean;
}

/** Tells that a call has come to another stage. @param untilNanos when the stage ends by itself; 0n, the default, for never */
export type ShowStage = (stage: string, untilNanos?: bigint) => void;

export class Activities {
  readonly #clock: StageClock;
  readonly #running = new Set<Running>();

  constructor(clock: StageClock) {
    this.#clock = clock;
  }

  /** Does the work, and shows it until it ends. */
  async during<T>(call: string, subject: Subject, work: (show: ShowStage) => Promise<T>): Promise<T> {
    const activity = this.#begin(call, subject);
    try {
      return await work((stage, untilNanos = 0n) => this.#show(activity, stage, untilNanos));
    } finally {
      this.#running.delete(activity);
    }
  }

  /** Does the work under the object's lock, and shows who waits for it and who has it. */
  async inTurn<T>(call: string, subject: Subject, lock: KeyedLock, work: (show: ShowStage) => Promise<T>): Promise<T> {
    const activity = this.#begin(call, subject);
    activity.waitsForLock = lock.isHeld(subject.objectId);
    try {
      return await lock.run(subject.objectId, async () => {
        activity.waitsForLock = false;
        this.#show(activity, "", 0n);
        return await work((stage, untilNanos = 0n) => this.#show(activity, stage, untilNanos));
      });
    } finally {
      this.#running.delete(activity);
    }
  }

  /** Of an object and of what is in it, the oldest first. */
  of(objectId: string): Activity[] {
    return [...this.#running].filter((each) => each.objectId === objectId || each.parentId === objectId);
  }

  /** By an id, or by what people call an object, the oldest first. */
  named(text: string): Activity[] {
    return [...this.#running].filter((each) => each.objectId === text || each.names.includes(text));
  }

  #begin(call: string, { objectId, parentId = "", names = [] }: Subject): Running {
    const sinceNanos = this.#clock.nowNanos();
    const activity: Running = {
      call,
      objectId,
      parentId,
      names,
      sinceNanos,
      stage: "",
      stageSinceNanos: sinceNanos,
      untilNanos: 0n,
      waitsForLock: false,
    };
    this.#running.add(activity);
    return activity;
  }

  #show(activity: Running, stage: string, untilNanos: bigint): void {
    activity.stage = stage;
    activity.stageSinceNanos = this.#clock.nowNanos();
    activity.untilNanos = untilNanos;
  }
}
