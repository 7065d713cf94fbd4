// What must hold of a pod and its containers, from what was asked of them and what was killed. Pure.
import type { Message } from "../lib/cri.ts";

/** "asked": a call for it was made, and none has answered OK yet. */
type Progress = "no" | "asked" | "done";

export interface Program {
  readonly command: readonly string[];
  /** of its own accord; undefined: it goes on until it is stopped */
  readonly exitCode: number | undefined;
  /** lines that it prints before it ends of its own accord */
  readonly lines: number | undefined;
  /** of one that counts its lines and ends at SIGTERM, always */
  readonly writer?: Writer;
}

interface Writer {
  readonly countFile: string;
  readonly exitCodeAtTerm: number;
  readonly mounts: readonly Message[];
}

export interface PodModel {
  readonly name: string;
  id: string;
  address: string;
  shimPid: number;
  /** performance.now() */
  shimKilledAtMs: number | undefined;
  stopped: Progress;
  removed: Progress;
}

export interface ContainerModel {
  readonly name: string;
  readonly id: string;
  readonly pod: PodModel;
  readonly program: Program;
  started: Progress;
  stopped: Progress;
  /** between SIGTERM and SIGKILL, of each stop that was asked for */
  readonly stopTimeouts: number[];
  removed: Progress;
  /** what its limits may be: the last that was set, and those that were asked for since */
  memoryLimits: readonly number[];
  rotations: number;
  /** the first exit that was seen: it stays */
  exit: string | undefined;
  /** of the process that was first seen running: it stays the same one */
  pid: number | undefined;
}

export const podModel = (name: string): PodModel => ({
  name,
  id: "",
  address: "",
  shimPid: 0,
  shimKilledAtMs: undefined,
  stopped: "no",
  removed: "no",
});

// `trap` of the programs that go on; a stop may come before it, or end with SIGKILL.
export const TRAPPED = 42;
const STOPPED = [exited(TRAPPED, "Error"), exited(143, "Error"), exited(137, "Error")];
const LOST = exited(137, "ShimLost");
// A start that a killed shim has cut off: failed, or not known for the moment until the loss is settled.
const CUT_OFF = [exited(128, "StartError"), "UNKNOWN"];
const NEVER_RAN = exited(255, "Unknown");

function exited(code: number, reason: string): string {
  return `EXITED ${code} ${reason}`;
}

const isAsked = (progress: Progress): boolean => progress !== "no";

/** What ContainerStatus may say now: "CREATED", "RUNNING", "EXITED 7 Error". */
export function allowedStates(container: ContainerModel): readonly string[] {
  const { started, pod } = container;
  if (container.exit !== undefined) return [container.exit];
  return [
    ...(started === "done" ? [] : neverStarted(pod)),
    ...(started === "no" ? [] : onceStarted(container)),
    ...(started === "asked" && pod.shimKilledAtMs !== undefined ? CUT_OFF : []),
  ];
}

function neverStarted(pod: PodModel): string[] {
  return [
    ...(pod.stopped === "done" ? [] : ["CREATED"]),
    ...(isAsked(pod.stopped) ? [NEVER_RAN] : []),
    ...(pod.shimKilledAtMs === undefined ? [] : [LOST]),
  ];
}

function onceStarted(container: ContainerModel): string[] {
  const { program, stopped, pod } = container;
  const isOver = stopped === "done" || pod.stopped === "done";
  const { exitCode } = program;
  return [
    ...(isOver ? [] : ["RUNNING"]),
    ...(exitCode === undefined ? [] : [exited(exitCode, exitCode === 0 ? "Completed" : "Error")]),
    ...(isAsked(stopped) || isAsked(pod.stopped) ? onceStopped(container) : []),
    ...(pod.shimKilledAtMs === undefined ? [] : [LOST]),
  ];
}

function onceStopped({ program, stopTimeouts, pod }: ContainerModel): string[] {
  if (program.writer === undefined) return STOPPED;
  const isKilled = isAsked(pod.stopped) || stopTimeouts.includes(0);
  const isTold = stopTimeouts.some((seconds) => seconds > 0);
  return [...(isKilled ? [exited(137, "Error")] : []), ...(isTold ? [exited(program.writer.exitCodeAtTerm, "Error")] : [])];
}

/** What PodSandboxStatus may say now. */
export function allowedPodStates({ stopped, shimKilledAtMs }: PodModel): readonly string[] {
  return [...(stopped === "done" ? [] : ["READY"]), ...(isAsked(stopped) || shimKilledAtMs !== undefined ? ["NOTREADY"] : [])];
}
