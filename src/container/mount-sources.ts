// Whether what a caller mounts is there. A file system that does not answer, such as one of a server that has gone, holds a worker of
// the helper for as long as the kernel waits, and the container that wants it for some seconds; nobody else waits.
import { AgentError, kindOf, messageOf, wrap } from "../base/errors.ts";
import { Propagation as Needed } from "../generated/berth/native/helper.ts";
import type { Helper } from "../native-client/helper.ts";
import type { Mount, Propagation } from "./records.ts";

const DEADLINE_MS = 10_000;
// Of the helper's 64 workers.
const MOST_STUCK = 8;

// What is mounted there later has to come to the container, and what it mounts there to the node.
const NEEDED: Readonly<Record<Propagation, Needed>> = {
  private: Needed.PROPAGATION_ANY,
  "host-to-container": Needed.PROPAGATION_SHARED_OR_SLAVE,
  bidirectional: Needed.PROPAGATION_SHARED,
};

type MountSource = Pick<Mount, "hostPath" | "containerPath"> & Partial<Pick<Mount, "propagation">>;

export class MountSources {
  readonly #helper: Pick<Helper, "checkPath">;
  readonly #deadlineMs: number;
  /** Looks that have outlived their deadline and are still out. */
  #stuck = 0;

  constructor(helper: Pick<Helper, "checkPath">, deadlineMs = DEADLINE_MS) {
    this.#helper = helper;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * @throws AgentError invalid-argument when it is not there, failed-precondition when it is on a mount that passes nothing on and the
   *   container is to have it passed on, deadline-exceeded when nothing says so in time, unavailable while eight others
   *   are waited for in vain
   */
  async check({ hostPath, containerPath, propagation = "private" }: MountSource): Promise<void> {
    const doing = `mount ${hostPath} at ${containerPath}`;
    if (this.#stuck >= MOST_STUCK)
      throw new AgentError("unavailable", `${doing}: ${this.#stuck} other mounts are on file systems that do not answer`);
    const looked = this.#helper.checkPath({ path: hostPath, propagation: NEEDED[propagation] });
    const late = Symbol("late");
    const { promise: deadline, resolve } = Promise.withResolvers<typeof late>();
    const timer = setTimeout(() => resolve(late), this.#deadlineMs);
    try {
      const first = await Promise.race([looked, deadline]);
      if (first !== late) return;
      this.#stuck++;
      // However it ends, it is out no more.
      void looked.catch(() => {}).finally(() => this.#stuck--);
      throw new AgentError("deadline-exceeded", `${doing}: its file system has not answered for ${this.#deadlineMs} ms`);
    } catch (failure) {
      const kind = kindOf(failure);
      if (kind === "deadline-exceeded" || kind === "unavailable") throw failure;
      if (kind === "failed-precondition") throw wrap(failure, doing);
      const why = kind === "not-found" ? "no such file or folder" : messageOf(failure);
      throw new AgentError("invalid-argument", `${doing}: ${why}`, { cause: failure });
    } finally {
      clearTimeout(timer);
    }
  }
}
