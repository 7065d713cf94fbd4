import test from "ava";
import { kindOf } from "../../../../src/base/errors.ts";
import { message } from "../../../../src/cli/message.ts";
import { toContainerConfig } from "../../../../src/cri/convert/container-config.ts";
import { toSandboxConfig } from "../../../../src/cri/convert/sandbox-config.ts";
import { toPodSandboxStatus } from "../../../../src/cri/convert/sandbox-status.ts";
import {
  ContainerConfig,
  ContainerMetadata,
  ImageSpec,
  LinuxContainerConfig,
  LinuxContainerSecurityContext,
  LinuxPodSandboxConfig,
  LinuxSandboxSecurityContext,
  NamespaceMode,
  NamespaceOption,
  PodSandboxConfig,
  PodSandboxMetadata,
} from "../../../../src/generated/cri/runtime/v1/api.ts";
import { sandboxRecord } from "../../../lib/records.ts";

const options = (fields: Partial<NamespaceOption>): NamespaceOption => message(NamespaceOption, fields);

function ofContainer(namespaceOptions: NamespaceOption | undefined) {
  const { security } = toContainerConfig(
    message(ContainerConfig, {
      metadata: message(ContainerMetadata, { name: "one" }),
      image: message(ImageSpec, { image: "image" }),
      linux: message(LinuxContainerConfig, { securityContext: message(LinuxContainerSecurityContext, { namespaceOptions }) }),
    }),
  );
  return { pid: security.pid, pidTarget: security.pidTarget };
}

function ofSandbox(namespaceOptions: NamespaceOption | undefined) {
  return toSandboxConfig(
    message(PodSandboxConfig, {
      metadata: message(PodSandboxMetadata, { name: "pod", namespace: "test", uid: "u" }),
      linux: message(LinuxPodSandboxConfig, { securityContext: message(LinuxSandboxSecurityContext, { namespaceOptions }) }),
    }),
    "",
  ).pid;
}

test("a container that says nothing of namespaces has a PID namespace of its own; options that say nothing of pid mean the pod's", (t) => {
  t.deepEqual(ofContainer(undefined), { pid: "container", pidTarget: "" });
  t.deepEqual(ofContainer(options({})), { pid: "pod", pidTarget: "" });
});

test("a container's PID mode is the one asked for, and a target needs an id", (t) => {
  t.deepEqual(ofContainer(options({ pid: NamespaceMode.CONTAINER })), { pid: "container", pidTarget: "" });
  t.deepEqual(ofContainer(options({ pid: NamespaceMode.NODE, targetId: "c" })), { pid: "node", pidTarget: "" });
  t.deepEqual(ofContainer(options({ pid: NamespaceMode.TARGET, targetId: "c" })), { pid: "target", pidTarget: "c" });
  t.is(kindOf(t.throws(() => ofContainer(options({ pid: NamespaceMode.TARGET })))), "invalid-argument");
  t.is(kindOf(t.throws(() => ofContainer(options({ pid: 9 as NamespaceMode })))), "invalid-argument");
});

test("a pod's status has the PID mode that its config asked for", (t) => {
  const echoed = (asked: NamespaceOption | undefined) =>
    toPodSandboxStatus(sandboxRecord({}, { pid: ofSandbox(asked) })).linux?.namespaces?.options?.pid;
  t.is(echoed(undefined), NamespaceMode.POD);
  for (const pid of [NamespaceMode.POD, NamespaceMode.CONTAINER, NamespaceMode.NODE]) t.is(echoed(options({ pid })), pid);
  t.is(kindOf(t.throws(() => ofSandbox(options({ pid: NamespaceMode.TARGET, targetId: "c" })))), "invalid-argument");
});
