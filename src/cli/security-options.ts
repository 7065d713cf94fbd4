// Profiles of the node for a container, in our words and in Docker's. Pure.
import { UsageError } from "./failure.ts";

/** What `--security-opt` may set of the options of `berth run`. */
export interface SecurityOptions {
  /** "default", "unconfined" or the absolute path of a profile */
  readonly seccomp?: string;
  /** "default", "unconfined" or the name of a profile that the node has loaded */
  readonly apparmor?: string;
  /** false: none are given */
  readonly newPrivileges?: boolean;
}

/** "default", "unconfined", or a file of the node. @throws UsageError */
export function parseSeccomp(text: string): string {
  if (text !== "default" && text !== "unconfined" && !text.startsWith("/"))
    throw new UsageError(`${JSON.stringify(text)} is not default, unconfined or the absolute path of a profile`);
  return text;
}

/** "default", "unconfined", or the name of a profile. @throws UsageError */
export function parseAppArmor(text: string): string {
  if (text.trim() === "" || /[\0\n]/.test(text))
    throw new UsageError(`${JSON.stringify(text)} is not default, unconfined or the name of a profile`);
  return text;
}

/** "seccomp=FILE", "apparmor=PROFILE" or "no-new-privileges[=true|false]", as Docker has them. @throws UsageError */
export function parseSecurityOption(text: string): SecurityOptions {
  const [name = "", ...rest] = text.split("=");
  const value = rest.join("=");
  // The word of Docker's for its default profile.
  if (name === "seccomp" && rest.length > 0) return { seccomp: parseSeccomp(value === "builtin" ? "default" : value) };
  if (name === "apparmor" && rest.length > 0) return { apparmor: parseAppArmor(value) };
  if (name === "no-new-privileges" && ["", "true", "false"].includes(value)) return { newPrivileges: value === "false" };
  throw new UsageError(`${JSON.stringify(text)} is not seccomp=FILE, apparmor=PROFILE or no-new-privileges`);
}
