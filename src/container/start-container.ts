// StartContainer: the shim runs the OCI runtime; a start that fails leaves an exited container that says why.
import { join } from "node:path";
import { kindOf, messageOf, wrap } from "../base/errors.ts";
import type { ContainerId } from "../base/ids.ts";
import { Stages } from "../base/timeline.ts";
import { namingCommand } from "./command-failure.ts";
import type { ContainerContext, FindContainer } from "./context.ts";
import { startError, withExit } from "./exit.ts";
import { pidNamespace } from "./pid-namespace.ts";
import type { ContainerRecord } from "./records.ts";
import { buildSpec } from "./spec/build-spec.ts";
import { appliedResources } from "./spec/resources.ts";
import { nextContainerState } from "./state.ts";

export async function startContainer(context: ContainerContext, find: FindContainer, id: ContainerId): Promise<void> {
  const subject = { objectId: id, parentId: context.records.get(id)?.sandboxId ?? "" };
  await context.activities.inTurn("StartContainer", subject, context.lock, async (show) => {
    const container = find(id);
    const running = nextContainerState(container.state, "start");
    const sandbox = context.sandboxes.get(container.sandboxId);
    context.expectMoves(sandbox.config.runtimeHandler);
    const shim = context.sandboxes.shim(container.sandboxId);
    const image = context.images.get(container.imageId);
    const stages = new Stages(context.clock, `container ${container.config.name}`, id, show);
    const runtime = context.runtime(sandbox.config.runtimeHandler);
    const commandLine = [runtime.path, ...runtime.args].join(" ");
    try {
      const pid = await pidNamespace(context, container, sandbox, stages);
      const { spec, warnings } = buildSpec(container, sandbox, image.config, context.node, pid);
      const { seccomp } = spec.linux;
      const isCompiled = context.filters.addTo(spec, commandLine);
      const start = () =>
        shim.startContainer({
          containerId: id,
          configJson: Buffer.from(JSON.stringify(spec)),
          runtimePath: runtime.path,
          runtimeArgs: [...runtime.args],
          logDirectory: container.config.logPath === "" ? "" : sandbox.config.logDirectory,
          logPath: container.config.logPath,
          cgroupPath: container.cgroupPath,
          stdio: { tty: container.config.tty === true, stdin: container.config.stdin === true, stdout: true, stderr: true },
          stdinOnce: container.config.stdinOnce === true,
          pidNamespaceOf: typeof pid === "string" ? 0 : pid.of,
          runtimeTimeoutMillis: context.runtimeTimeoutMs,
          logMaxBytes: sandbox.config.rotateLogs === true ? context.logRotation.maxBytes : 0n,
          logMaxFiles: context.logRotation.maxFiles,
        });
      const started = await stages.time("start", start).catch((failure: unknown) => {
        if (isCompiled) context.filters.forget(seccomp, commandLine);
        throw namingCommand(failure, spec.process.args[0]);
      });
      // The shim's name for where runtimes keep their own state.
      if (!isCompiled) await context.filters.keep(seccomp, commandLine, join(sandbox.stateDir, "runtime", id));
      stages.addAll(started.stages);
      const record: ContainerRecord = {
        ...container,
        state: running,
        pid: started.pid,
        startedAtNanos: started.startedAtNanos,
        stages: [...container.stages, ...stages.list],
        appliedResources: appliedResources(container.config.resources, context.node),
        warnings,
      };
      await context.store.commit(context.records.put(record));
    } catch (failure) {
      show("undo");
      const isEnded = await endWhatStarted(context, container).then(
        () => true,
        () => false,
      );
      const failed = isEnded
        ? withExit(container, startError(messageOf(failure), context.clock.nowNanos()))
        : { ...container, state: nextContainerState(container.state, "lose"), message: messageOf(failure) };
      await context.store.commit(context.records.put({ ...failed, stages: [...container.stages, ...stages.list] }));
      throw wrap(failure, `start container ${id}`);
    }
  });
}

/**
 * A start may have failed on our side alone (no answer in time, a disk that is full) and gone well on the shim's. What is called
 * exited must not run; where that can't be made sure of, nobody knows what it is until it is stopped.
 */
async function endWhatStarted(context: ContainerContext, container: ContainerRecord): Promise<void> {
  await context.sandboxes.findShim(container.sandboxId)?.deleteContainer(container.id);
  await context.helper.killCgroup({ cgroupPath: container.cgroupPath, timeoutMillis: 10_000 }).catch((failure: unknown) => {
    if (kindOf(failure) !== "not-found") throw failure;
  });
}
