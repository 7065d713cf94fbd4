// How an exit is told: code, reason, message. Pure.
import type { ContainerRecord } from "./records.ts";
import { nextContainerState } from "./state.ts";

export interface Exit {
  readonly exitCode: number;
  readonly finishedAtNanos: bigint;
  readonly reason: string;
  readonly message: string;
}

/** @source kubelet and containerd: the words that people and controllers look for */
export function processExit(exitCode: number, oomKilled: boolean, finishedAtNanos: bigint): Exit {
  const reason = oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  return { exitCode, finishedAtNanos, reason, message: "" };
}

/** A process that never ran. 128 is what containerd says too. */
export const startError = (message: string, finishedAtNanos: bigint): Exit => ({
  exitCode: 128,
  finishedAtNanos,
  reason: "StartError",
  message,
});

/** The shim ended and its containers with it; 137 is 128 + SIGKILL. */
export const shimLost = (finishedAtNanos: bigint): Exit => ({
  exitCode: 137,
  finishedAtNanos,
  reason: "ShimLost",
  message: "the pod's shim ended, and the container with it",
});

/** Nobody can know: the machine was started anew. */
export const unknownExit = (message: string, finishedAtNanos: bigint): Exit => ({
  exitCode: 255,
  finishedAtNanos,
  reason: "Unknown",
  message,
});

/** @throws AgentError failed-precondition when it has exited already */
export function withExit(container: ContainerRecord, exit: Exit): ContainerRecord {
  return { ...container, ...exit, state: nextContainerState(container.state, "exit"), pid: 0 };
}
