// Somebody who follows the node's events, goes away at random moments, and comes back with the cursor of the last one that he has
// read: he must have read each one once, whatever was killed meanwhile.
import { once } from "node:events";
import { promisify } from "node:util";
import { type ClientReadableStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { BerthClient, type EventsResponse } from "../../src/generated/berth/v1/berth.ts";
import { Violation } from "./journal.ts";
import type { Random } from "./random.ts";
import { pause } from "./world.ts";

const MOST_AT_ONCE = 30;
const COME_BACK_MS = 20;
const CONNECT_MS = 10_000;
const GONE = new Set<status>([status.UNAVAILABLE, status.CANCELLED]);
/** What may become of a pod or a container that is gone at the end; one may never have been started. */
const LIFE = /^created( started)?( stopped)? deleted$/;

export class EventWatcher {
  readonly #client: BerthClient;
  readonly #random: Random;
  readonly #events: EventsResponse[] = [];
  #isEnding = false;
  #following: Promise<void> = Promise.resolve();
  #stream: ClientReadableStream<EventsResponse> | undefined;
  #connections = 0;

  private constructor(socket: string, random: Random) {
    this.#client = new BerthClient(`unix:${socket}`, credentials.createInsecure(), { "grpc.max_reconnect_backoff_ms": 100 });
    this.#random = random;
  }

  /** From now on. No first event may be lost: berthd goes on until there was one. */
  static async begin(socket: string, random: Random): Promise<EventWatcher> {
    const watcher = new EventWatcher(socket, random);
    const stream = watcher.#open("");
    await once(stream, "metadata");
    watcher.#following = watcher.#follow(stream);
    // Told by `end`.
    watcher.#following.catch(() => {});
    return watcher;
  }

  /** Reads the rest. @returns the types of all events of each id, in order @throws Violation when there is a gap */
  async end(): Promise<ReadonlyMap<string, readonly string[]>> {
    this.#isEnding = true;
    this.#stream?.cancel();
    try {
      await this.#following;
      // It may still wait before it tries to connect to a berthd that was killed a moment ago.
      await promisify(this.#client.waitForReady.bind(this.#client))(Date.now() + CONNECT_MS);
      const rest = this.#client.events({ cursor: this.#cursor, follow: false });
      for await (const event of rest) this.#events.push(event as EventsResponse);
    } catch (failure) {
      throw new Violation(`events: ${(failure as ServiceError).message}`);
    } finally {
      this.#client.close();
    }
    const numbers = this.#events.map(({ cursor }) => Number(cursor.split("-")[1]));
    const wrong = numbers.findIndex((number, at) => at > 0 && number <= (numbers[at - 1] ?? 0));
    if (wrong >= 0) throw new Violation(`events: ${this.#events[wrong]?.cursor} came after ${this.#events[wrong - 1]?.cursor}`);
    return new Map([...Map.groupBy(this.#events, ({ id }) => id)].map(([id, of]) => [id, of.map(({ type }) => type)]));
  }

  get summary(): string {
    return `${this.#events.length} events over ${this.#connections} connections`;
  }

  get #cursor(): string {
    return this.#events.at(-1)?.cursor ?? "";
  }

  #open(cursor: string): ClientReadableStream<EventsResponse> {
    this.#connections++;
    this.#stream = this.#client.events({ cursor, follow: true });
    return this.#stream;
  }

  async #follow(first: ClientReadableStream<EventsResponse>): Promise<void> {
    let stream = first;
    for (;;) {
      let left = this.#random.between(1, MOST_AT_ONCE);
      try {
        for await (const event of stream) {
          this.#events.push(event as EventsResponse);
          if (--left === 0) stream.cancel();
        }
      } catch (failure) {
        if (!GONE.has((failure as ServiceError).code)) throw failure;
      }
      await pause(COME_BACK_MS);
      if (this.#isEnding) return;
      stream = this.#open(this.#cursor);
    }
  }
}

/**
 * @param lives of a node that has nothing any more
 * @param known ids that calls have told @param started of them, those whose start was answered
 * @throws Violation for a change that was not told once, in its order
 */
export function checkLives(lives: ReadonlyMap<string, readonly string[]>, known: ReadonlySet<string>, started: ReadonlySet<string>): void {
  for (const [id, types] of lives) {
    if (!LIFE.test(types.join(" "))) throw new Violation(`events of ${id}: ${types.join(", ")}`);
  }
  for (const id of known) if (!lives.has(id)) throw new Violation(`events of ${id}: none was told`);
  for (const id of started) {
    const types = lives.get(id) ?? [];
    if (!types.includes("started") || !types.includes("stopped"))
      throw new Violation(`events of ${id}, which was started: ${types.join(", ")}`);
  }
}
