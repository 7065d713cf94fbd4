// The user namespace of a container is its pod's: what the container and its mounts say of it has to agree.
import { AgentError } from "../base/errors.ts";
import type { SandboxConfig, UserNamespace } from "../sandbox/records.ts";
import type { ContainerConfig } from "./records.ts";

const same = (a: UserNamespace | undefined, b: UserNamespace | undefined): boolean =>
  a?.firstHostId === b?.firstHostId && a?.count === b?.count;

/** @throws AgentError invalid-argument */
export function checkUserNamespace({ security, mounts }: ContainerConfig, pod: Pick<SandboxConfig, "userNamespace">): void {
  const { userNamespace } = pod;
  const invalid = (why: string): AgentError => new AgentError("invalid-argument", `read container config: ${why}`);
  if (security.userNamespace !== undefined && !same(security.userNamespace, userNamespace))
    throw invalid("its user namespace is not that of its pod");
  for (const { containerPath, ids, propagation } of mounts) {
    if (ids !== undefined && !same(ids, userNamespace))
      throw invalid(`mount ${containerPath}: its ids are not those of the pod's user namespace`);
    // The kernel passes nothing on from a mount namespace of other users.
    if (userNamespace !== undefined && propagation === "bidirectional")
      throw invalid(`mount ${containerPath}: bidirectional propagation does not lead out of a user namespace`);
  }
}
