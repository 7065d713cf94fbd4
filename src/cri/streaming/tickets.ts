// Who may stream what: the answer of Exec, Attach and PortForward is an address with a ticket that works once, for a minute.
// @source k8s.io/cri-streaming: one minute, 1000 in flight
import { randomBytes } from "node:crypto";
import { AgentError } from "../../base/errors.ts";

const LIFETIME_MS = 60_000;
const MAX_TICKETS = 1000;
const TICKET_BYTES = 16;

export class Tickets<T> {
  readonly #nowMs: () => number;
  /** in the order of their end */
  readonly #tickets = new Map<string, { readonly value: T; readonly untilMs: number }>();

  /** @param nowMs a clock that does not jump */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** @throws AgentError resource-exhausted while 1000 wait to be used */
  issue(value: T): string {
    this.#dropStale();
    if (this.#tickets.size >= MAX_TICKETS)
      throw new AgentError("resource-exhausted", `maximum number of in-flight requests exceeded: ${MAX_TICKETS} wait for their clients`);
    const ticket = randomBytes(TICKET_BYTES).toString("base64url");
    this.#tickets.set(ticket, { value, untilMs: this.#nowMs() + LIFETIME_MS });
    return ticket;
  }

  /** The second time, and after a minute, there is nothing. */
  redeem(ticket: string): T | undefined {
    this.#dropStale();
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    return found?.value;
  }

  #dropStale(): void {
    const now = this.#nowMs();
    for (const [ticket, { untilMs }] of this.#tickets) {
      if (untilMs > now) return;
      this.#tickets.delete(ticket);
    }
  }
}
