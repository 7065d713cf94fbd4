// What all parts of one run share: the node, the model, the journal, and whether somebody has just killed something.
import { status } from "@grpc/grpc-js";
import type { Message } from "../lib/cri.ts";
import type { TestNode } from "../lib/node.ts";
import { type Journal, Violation } from "./journal.ts";
import type { PodModel } from "./model.ts";
import type { Random } from "./random.ts";

// A helper is started again after 100 ms; calls that began before may still fail.
const CALM_AFTER_MS = 1000;
const RETRY_MS = 30;
const CALL_TIMEOUT_MS = 30_000;
const IMPATIENT_PERCENT = 6;
const MOST_IMPATIENT_MS = 150;

// gRPC's own words, where berthd has given no answer.
const CUT_OFF = /^(No connection established|read ECONNRESET|Connection dropped|write EPIPE|Received RST_STREAM|Channel has been)/;

export interface Failure {
  readonly code: status;
  readonly details: string;
}

/** The pod's shim was killed: what uses the pod fails from now on. */
export class PodLost extends Error {}

/** Another part of the run has failed. */
export class Aborted extends Error {}

export class World {
  readonly node: TestNode;
  readonly journal: Journal;
  readonly pods = new Set<PodModel>();
  /** Ids that calls have told, and those whose start was answered. */
  readonly known = new Set<string>();
  readonly started = new Set<string>();
  readonly #patience: number;
  #onCall: (call: number) => void = () => {};
  #disturbances = 0;
  #calmAtMs = 0;
  #servingSinceMs = 0;
  calls = 0;
  failure: unknown;

  /** @param patience how many times longer than on an idle machine things may take */
  constructor(node: TestNode, journal: Journal, patience: number) {
    this.node = node;
    this.journal = journal;
    this.#patience = patience;
  }

  /** `react` hears of each call before it is made. */
  watchCalls(react: (call: number) => void): void {
    this.#onCall = react;
  }

  /** Something is killed while `work` runs: calls may fail until a moment after it. */
  async disturb(work: () => Promise<void>): Promise<void> {
    this.#disturbances += 1;
    try {
      await work();
    } finally {
      this.#disturbances -= 1;
      this.#calmAtMs = performance.now() + CALM_AFTER_MS * this.#patience;
      this.#servingSinceMs = performance.now();
    }
  }

  /**
   * A call as a kubelet makes it: now and then it gives up early, and asks again until it has an answer.
   *
   * @param settled what the refusal of a call that was made before means, if it is an answer
   * @throws PodLost when the pod's shim was killed, unless the call takes away
   */
  async call<A>(
    subject: string,
    name: string,
    request: Message,
    options: { random?: Random; pod?: PodModel; settled?: (failure: Failure) => Promise<A | undefined> } = {},
  ): Promise<A> {
    const { random, pod, settled } = options;
    const takesAway = /^(Stop|Remove)/.test(name);
    this.#onCall(++this.calls);
    const isImpatient = random?.chance(IMPATIENT_PERCENT) ?? false;
    let timeoutMs = isImpatient ? (random?.between(1, MOST_IMPATIENT_MS) ?? 0) : CALL_TIMEOUT_MS * this.#patience;
    this.journal.step(subject, `${name}${isImpatient ? ` (gives up after ${timeoutMs} ms)` : ""}`);
    let wasCutOff = false;
    for (const deadline = performance.now() + CALL_TIMEOUT_MS * this.#patience; ; await pause(RETRY_MS)) {
      if (this.failure !== undefined) throw new Aborted();
      const wasDisturbed = this.#isDisturbed();
      try {
        const answer = await this.node.cri.call<A>(name, request, timeoutMs);
        this.journal.step(subject, `${name}: OK`);
        this.#remember(name, request, answer as Message);
        return answer;
      } catch (thrown) {
        const failure = thrown as Failure;
        const code = status[failure.code];
        const isCutOff = CUT_OFF.test(failure.details);
        if (!isCutOff || !wasCutOff) this.journal.step(subject, `${name}: ${code} ${failure.details}`);
        wasCutOff = isCutOff;
        const answer = await settled?.(failure);
        if (answer !== undefined) return answer;
        const gaveUp = isImpatient && failure.code === status.DEADLINE_EXCEEDED;
        if (!gaveUp && !isCutOff) this.journal.count(`${name} ${code}`);
        if (pod?.shimKilledAtMs !== undefined && !takesAway) throw new PodLost();
        if (!gaveUp && !wasDisturbed && !this.#isDisturbed() && pod?.shimKilledAtMs === undefined)
          throw new Violation(`${subject}: ${name} failed although nothing was killed: ${code} ${failure.details}`);
        if (performance.now() > deadline) throw new Violation(`${subject}: ${name} fails on and on: ${code} ${failure.details}`);
        timeoutMs = CALL_TIMEOUT_MS * this.#patience;
      }
    }
  }

  /** Whether what follows from the loss of a shim must be so by now: within a second of Berth running. */
  isDue(shimKilledAtMs: number): boolean {
    return this.#disturbances === 0 && performance.now() > Math.max(shimKilledAtMs, this.#servingSinceMs) + CALM_AFTER_MS * this.#patience;
  }

  #remember(name: string, request: Message, answer: Message): void {
    if (name === "RunPodSandbox") this.known.add(String(answer["pod_sandbox_id"]));
    if (name === "CreateContainer") this.known.add(String(answer["container_id"]));
    if (name === "StartContainer") this.started.add(String(request["container_id"]));
  }

  get aborted(): boolean {
    return this.failure !== undefined;
  }

  #isDisturbed(): boolean {
    return this.#disturbances > 0 || performance.now() < this.#calmAtMs;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
