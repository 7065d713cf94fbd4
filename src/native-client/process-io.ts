// What a person, or a program in his place, has of a process: its streams, and the size of his terminal.
import type { Readable, Writable } from "node:stream";

export interface TerminalSize {
  /** in columns, 0 to 65535 */
  readonly width: number;
  /** in rows, 0 to 65535 */
  readonly height: number;
}

export interface ProcessIo {
  /** Absent streams are closed to the process: it reads nothing, and what it writes is thrown away. */
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  /** never with a terminal, which has one stream for both */
  readonly stderr?: Writable;
  /** Calls with the last size that came before, if any, and with each one after it. */
  readonly onResize: (listener: (size: TerminalSize) => void) => void;
  /** Aborted when whoever asked has gone away. */
  readonly gone: AbortSignal;
}
