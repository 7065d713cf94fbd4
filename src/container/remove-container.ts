// RemoveContainer: stopped if need be, then taken out of kernel, disk and records. Idempotent; a missing id is success.
import { allAtOnce, during } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import type { ContainerContext } from "./context.ts";
import { nextContainerState } from "./state.ts";
import { stopContainer } from "./stop-container.ts";
import { releaseImages } from "./volumes.ts";

export async function removeContainer(context: ContainerContext, id: ContainerId): Promise<void> {
  await stopContainer(context, id, 0);
  const subject = { objectId: id, parentId: context.records.get(id)?.sandboxId ?? "" };
  await context.activities.inTurn("RemoveContainer", subject, context.lock, async () => {
    const container = context.records.get(id);
    if (container === undefined) return;
    nextContainerState(container.state, "remove");
    await during(`remove container ${id}`, async () => {
      await context.sandboxes.findShim(container.sandboxId)?.deleteContainer(id);
      await allAtOnce("clear away", [
        // The OCI runtime takes it away, unless it was stuck.
        context.helper.removeCgroup({ cgroupPath: container.cgroupPath, pruneParent: "" }),
        context.helper.removeTree(container.writableDir),
      ]);
      await context.store.commit(context.records.delete(id));
      releaseImages(container, context.images);
      context.blockedLogs.forget(id);
    });
  });
}
