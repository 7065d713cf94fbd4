// StartContainer: the shim runs the OCI runtime; a start that fails leaves an exited container that says why.
import { wrap, messageOf } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { Stages } from "../base/timeline.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import { startError, withExit } from "./exit.ts";
import type { ContainerRecord } from "./records.ts";
import { buildSpec } from "./spec/build-spec.ts";
import { nextContainerState } from "./state.ts";

export async function startContainer(context: ContainerContext, find: FindContainer, id: ContainerId): Promise<void> {
  await context.lock.run(id, async () => {
    const container = find(id);
    const running = nextContainerState(container.state, "start");
    const sandbox = context.sandboxes.get(container.sandboxId);
    const shim = context.sandboxes.shim(container.sandboxId);
    const image = context.images.get(container.imageId);
    const { spec, warnings } = buildSpec(container, sandbox, image.config, context.node);
    const stages = new Stages(context.clock, `container ${container.config.name}`, id);
    try {
      const started = await stages.time("start", () =>
        shim.startContainer({
          containerId: id,
          configJson: Buffer.from(JSON.stringify(spec)),
          runtimePath: context.runtimePath(sandbox.config.runtimeHandler),
          logDirectory: container.config.logPath === "" ? "" : sandbox.config.logDirectory,
          logPath: container.config.logPath,
          cgroupPath: container.cgroupPath,
        }),
      );
      stages.addAll(started.stages);
      const record: ContainerRecord = {
        ...container,
        state: running,
        pid: started.pid,
        startedAtNanos: started.startedAtNanos,
        stages: [...container.stages, ...stages.list],
        warnings,
      };
      await context.store.commit(context.records.put(record));
    } catch (failure) {
      const failed = withExit(container, startError(messageOf(failure), context.clock.nowNanos()));
      await context.store.commit(context.records.put({ ...failed, stages: [...container.stages, ...stages.list] }));
      throw wrap(failure, `start container ${id}`);
    }
  });
}
