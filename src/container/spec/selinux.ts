// SELinux labels of a container. Pure. @source the OCI runtime specification, "selinuxLabel" and "mountLabel"; libselinux, lxc_contexts(5)
import type { SelinuxOptions } from "../records.ts";

/** Labels that the node's policy has for containers: "user:role:type:level". */
export interface SelinuxPolicy {
  readonly process: string;
  readonly file: string;
}

// What policies with containers have had since their type was first called so.
const USUAL: SelinuxPolicy = { process: "system_u:system_r:container_t:s0", file: "system_u:object_r:container_file_t:s0" };

/** @param text of the policy's file lxc_contexts: `process = "system_u:…"` */
export function readPolicy(text: string): SelinuxPolicy {
  const label = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s*=\\s*"?([^\\s"]+:[^\\s"]+:[^\\s"]+)"?\\s*$`, "m").exec(text)?.[1];
  return { process: label("process") ?? USUAL.process, file: label("file") ?? USUAL.file };
}

/**
 * What is not asked for is the policy's. A level and a user are those of the files too; the type of a process is no type of files.
 *
 * @returns `process` "" where there is to be none: a privileged container is not confined
 */
export function selinuxLabels(
  options: SelinuxOptions,
  isPrivileged: boolean,
  policy: SelinuxPolicy,
): { readonly process: string; readonly mount: string } {
  const { user, level } = options;
  return {
    process: isPrivileged ? "" : changed(policy.process, options),
    mount: changed(policy.file, { user, level, role: "", type: "" }),
  };
}

function changed(label: string, { user, role, type, level }: SelinuxOptions): string {
  const [ofUser = "", ofRole = "", ofType = "", ...ofLevel] = label.split(":");
  return [user || ofUser, role || ofRole, type || ofType, level || ofLevel.join(":")].filter((part) => part !== "").join(":");
}
