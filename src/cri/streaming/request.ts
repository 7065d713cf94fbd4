// What a ticket stands for.
import type { Duplex } from "node:stream";
import type { ProcessIo } from "../../container/exec.ts";

/** Exec and Attach: a process, and which of its streams are wanted. */
export interface ProcessRequest {
  readonly kind: "exec" | "attach";
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Resolves with the exit code when the process has ended, or when there is no more to attach to. */
  readonly run: (io: ProcessIo) => Promise<number>;
}

export interface PortForwardRequest {
  readonly kind: "portforward";
  /** For clients that do not say themselves which ports they want. */
  readonly ports: readonly number[];
  /** One connection to a port of the pod, to the end of both directions. */
  readonly run: (port: number, data: Duplex, gone: AbortSignal) => Promise<void>;
}

export type StreamRequest = ProcessRequest | PortForwardRequest;
