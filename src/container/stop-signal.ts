// Which signal asks a container to end, and when its process can hear it.
import { constants } from "node:os";
import { processFile } from "../base/process-file.ts";

const { SIGTERM, SIGKILL } = constants.signals;

/** An image's stop signal, "SIGQUIT", "QUIT" or "3"; one that does not exist is as if none were named. */
export function signalNumber(name: string): number {
  if (/^\d{1,2}$/.test(name)) return Number(name) >= 1 && Number(name) <= 64 ? Number(name) : SIGTERM;
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  const real = realTimeSignal(full);
  if (real !== undefined) return real;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[full] ?? SIGTERM;
}

// As glibc counts them; the first two are its own.
const [RTMIN, RTMAX] = [34, 64];

/** "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX-1", and the CRI's "SIGRTMINPLUS3" and "SIGRTMAXMINUS1". */
function realTimeSignal(name: string): number | undefined {
  const match = /^SIGRT(MIN|MAX)(?:(\+|PLUS|-|MINUS)(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const offset = Number(match[3] ?? 0) * (match[2] === "-" || match[2] === "MINUS" ? -1 : 1);
  const signal = (match[1] === "MIN" ? RTMIN : RTMAX) + offset;
  return signal >= RTMIN && signal <= RTMAX ? signal : undefined;
}

/**
 * Whether the process has a handler for the signal. The kernel throws away what the first process of a PID namespace has no
 * handler for, SIGKILL excepted, so a signal that comes before the handler is there would never be heard of.
 *
 * @returns true also when it can't be found out: then the signal is sent, and the kernel decides
 */
export function hears(pid: number, signal: number): boolean {
  if (signal === SIGKILL) return true;
  return caughtBy(processFile(pid, "status"), signal) ?? true;
}

/** @param status as proc_pid_status(5) has it @returns undefined when it does not say */
export function caughtBy(status: string, signal: number): boolean | undefined {
  const mask = /^SigCgt:\s*([0-9a-f]{1,32})$/m.exec(status)?.[1];
  return mask === undefined ? undefined : (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n;
}
