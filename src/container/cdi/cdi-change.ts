// Devices of CDI that a container asks for, as changes of its spec.
import { findDeviceEdits } from "./find-devices.ts";
import { type CdiChange, resolveEdits } from "./resolve-edits.ts";
import type { CdiSpecFiles } from "./spec-files.ts";

/**
 * @param names qualified
 * @returns undefined when there are none; then no file is read
 * @throws AgentError failed-precondition
 */
export async function cdiChange(names: readonly string[], specs: CdiSpecFiles): Promise<CdiChange | undefined> {
  return names.length === 0 ? undefined : await resolveEdits(findDeviceEdits(names, await specs.read()));
}
