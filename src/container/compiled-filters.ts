// Seccomp filters as crun or our own runtime has compiled them. Compiling RuntimeDefault takes a fourth of the processor time of a pod's
// start, so what a runtime has made of a profile it is given again with the next container. It is its own work, of this start of berthd,
// from its folder, which no container sees. Another runtime leaves no such file, and does not look at the annotation.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { OciSeccomp, OciSpec } from "./spec/oci.ts";

/** @source crun(1): the filter as base64, in place of what would be made of linux.seccomp; the flags there still hold */
const ANNOTATION = "run.oci.seccomp_bpf_data";
const MOST_FILTERS = 16;
// As many instructions as the kernel takes (BPF_MAXINSNS), of 8 bytes.
const MOST_BYTES = 4096 * 8;
// A libseccomp that was upgraded gets to compile all of them, without a start of berthd.
const LONGEST_NANOS = 600_000_000_000n;

interface Compiled {
  readonly base64: string;
  readonly atNanos: bigint;
}

export class CompiledFilters {
  readonly #clock: Clock;
  /** by runtime and profile, the oldest first */
  readonly #filters = new Map<string, Compiled>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives the spec the filter of its profile. @param runtime as its command line begins @returns whether there is one */
  addTo(spec: OciSpec, runtime: string): boolean {
    const filter = this.#filters.get(keyOf(spec.linux.seccomp, runtime));
    if (filter === undefined || this.#clock.nowNanos() - filter.atNanos > LONGEST_NANOS) return false;
    spec.annotations = { ...spec.annotations, [ANNOTATION]: filter.base64 };
    return true;
  }

  /** @param folder of the runtime's own state of a container that was just started with the profile */
  async keep(seccomp: OciSeccomp | undefined, runtime: string, folder: string): Promise<void> {
    if (seccomp === undefined) return;
    const bytes = await readFilter(join(folder, "seccomp.bpf"));
    if (bytes === undefined) return;
    const key = keyOf(seccomp, runtime);
    this.#filters.delete(key);
    this.#filters.set(key, { base64: bytes.toString("base64"), atNanos: this.#clock.nowNanos() });
    for (const oldest of this.#filters.keys()) {
      if (this.#filters.size <= MOST_FILTERS) break;
      this.#filters.delete(oldest);
    }
  }

  /** A start with it has failed, and whose fault that was nobody knows. */
  forget(seccomp: OciSeccomp | undefined, runtime: string): void {
    this.#filters.delete(keyOf(seccomp, runtime));
  }
}

/** Of the whole profile: two that differ in an error alone are two. */
const keyOf = (seccomp: OciSeccomp | undefined, runtime: string): string =>
  createHash("sha256")
    .update(JSON.stringify([runtime, seccomp]))
    .digest("base64");

async function readFilter(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size === 0 || size > MOST_BYTES || size % 8 !== 0) return undefined;
    return await file.readFile();
  } catch {
    return undefined;
  }
}
