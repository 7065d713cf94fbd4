// Ctrl-C once asks a command to come to an end in good order, twice to leave at once.
import { constants } from "node:os";
import { AgentError } from "../base/errors.ts";
import type { World } from "./session.ts";

export class Interrupts implements Disposable {
  readonly #first = new AbortController();
  readonly #again = new AbortController();
  readonly #stopListening: () => void;
  #number = 0;

  constructor(world: World) {
    this.#stopListening = world.onSignal((signal) => {
      this.#number = constants.signals[signal];
      if (this.#first.signal.aborted) this.#again.abort();
      else this.#first.abort(new AgentError("cancelled", `interrupted by ${signal}`));
    });
  }

  get first(): AbortSignal {
    return this.#first.signal;
  }

  get again(): AbortSignal {
    return this.#again.signal;
  }

  /** What a shell gives a program that a signal ended. */
  get exitCode(): number {
    return 128 + this.#number;
  }

  [Symbol.dispose](): void {
    this.#stopListening();
  }
}
