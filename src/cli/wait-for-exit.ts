// Waits for a container's end. The node tells no events yet, so it is asked, seldom once it has run for a while.
import { setTimeout } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { ContainerState, type ContainerStatus } from "../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "./client.ts";
import { hasCode } from "./failure.ts";
import { containerStatus } from "./inventory.ts";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
// berthd may be started anew meanwhile; its containers do not notice.
const LONGEST_ABSENCE_MS = 30_000;

/** @returns undefined when it was removed */
export async function waitForExit(node: NodeClient, containerId: string): Promise<ContainerStatus | undefined> {
  let absentMs = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    try {
      const container = await containerStatus(node, containerId);
      if (container.state === ContainerState.CONTAINER_EXITED) return container;
      absentMs = 0;
    } catch (failure) {
      if (hasCode(failure, status.NOT_FOUND)) return undefined;
      if (!hasCode(failure, status.UNAVAILABLE) || absentMs >= LONGEST_ABSENCE_MS) throw failure;
      absentMs += pauseMs;
    }
    await setTimeout(pauseMs);
  }
}
