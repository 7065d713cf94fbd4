// One step that mends one difference, as careful as the teardown of a pod: it may run again, and on what has gone meanwhile.
import { rm } from "node:fs/promises";
import { asSandboxId } from "../base/ids.ts";
import type { ImageParts } from "../image/image-parts.ts";
import type { Helper } from "../native-client/helper.ts";
import type { NetworkService } from "../network/network-service.ts";
import { cgroupLimits } from "../sandbox/limits.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { Difference } from "./difference.ts";

// SIGKILL is quick; a process that outlives it sits in the kernel.
const KILL_TIMEOUT_MS = 10_000;

export interface MendTools {
  readonly helper: Helper;
  readonly sandboxes: SandboxService;
  readonly network: NetworkService;
  readonly parts: ImageParts;
}

/** The caller holds the pod, or the container, that it belongs to. */
export async function mend({ mend: step, sandboxId }: Difference, { helper, sandboxes, network, parts }: MendTools): Promise<void> {
  switch (step.step) {
    case "none":
      return;
    case "settle-pod":
      return await sandboxes.settle(asSandboxId(sandboxId));
    case "kill-process":
      return await helper.killProcess({ pid: step.pid, startTicks: step.startTicks, timeoutMillis: KILL_TIMEOUT_MS });
    case "release-mount":
      return await helper.releaseMount({ path: step.path, shimPid: step.shimPid, shimStartTicks: step.shimStartTicks });
    case "delete-link":
      return await helper.detachEndpoint({ hostInterface: step.name, nftTable: "", hostPorts: [] });
    case "release-address":
      return await network.release(sandboxId);
    case "make-network":
      return await network.mend();
    case "remove-cgroup":
      await helper.killCgroup({ cgroupPath: step.path, timeoutMillis: KILL_TIMEOUT_MS });
      return await helper.removeCgroup({ cgroupPath: step.path, pruneParent: step.pruneParent });
    case "make-cgroup": {
      const limits = step.resources === undefined ? undefined : cgroupLimits(step.resources);
      return await helper.updateCgroup({ cgroupPath: step.path, limits, create: true });
    }
    case "remove-file":
      return await rm(step.path, { force: true });
    case "remove-folder":
      return await helper.removeTree(step.path);
    case "remove-layer-folder":
      return await parts.removeSnapshotFolder(step.name);
    case "remove-blob-file":
      return await parts.removeBlobFile(step.digest);
    case "forget-layer":
      return await parts.forgetSnapshot(step.chainId);
    case "forget-blob":
      return await parts.forgetBlob(step.digest);
  }
}
