// Which edits the devices that a container asks for make, from the files of the node. Pure.
import { AgentError } from "../../base/errors.ts";
import type { CdiEdits, CdiSpec } from "./cdi-spec.ts";
import { qualifiedName } from "./device-name.ts";
import type { SpecFile, SpecFiles } from "./spec-files.ts";

interface Found {
  readonly file: SpecFile;
  readonly edits: CdiEdits;
}

/** By qualified name: those of the last folder that has such a device; more than one is a conflict. */
function devicesByName(files: readonly SpecFile[]): Map<string, Found[]> {
  const devices = new Map<string, Found[]>();
  for (const file of files) {
    for (const [device, edits] of file.spec.devices) {
      const name = qualifiedName(file.spec.kind, device);
      const others = (devices.get(name) ?? []).filter((each) => each.file.priority === file.priority);
      devices.set(name, [...others, { file, edits }]);
    }
  }
  return devices;
}

/** Names of devices that can be had, and what is wrong with others. For people. */
export function describeDevices({ files, problems }: SpecFiles): { devices: string[]; problems: string[] } {
  const all = [...devicesByName(files)];
  const conflicts = all.filter(([, found]) => found.length > 1).map(([name, found]) => conflict(name, found));
  return { devices: all.filter(([, found]) => found.length === 1).map(([name]) => name), problems: [...problems, ...conflicts] };
}

const conflict = (name: string, found: readonly Found[]): string =>
  `CDI device ${name} is in ${found.map(({ file }) => file.path).join(" and ")}`;

/**
 * Edits in the order in which they are made: of each device, before it those of its file for all of its devices.
 *
 * @param names qualified
 * @throws AgentError failed-precondition for a device that this node has not, or has twice
 */
export function findDeviceEdits(names: readonly string[], { files, problems }: SpecFiles): CdiEdits[] {
  const devices = devicesByName(files);
  const seen = new Set<CdiSpec>();
  return names.flatMap((name) => {
    const [found, ...others] = devices.get(name) ?? [];
    if (found === undefined) {
      const unread = problems.length === 0 ? "" : `; what could not be read: ${problems.slice(0, 3).join("; ")}`;
      throw new AgentError("failed-precondition", `find CDI device ${name}: no file of this node has it${unread}`);
    }
    if (others.length > 0) throw new AgentError("failed-precondition", `find CDI device ${name}: ${conflict(name, [found, ...others])}`);
    const isFirst = !seen.has(found.file.spec);
    seen.add(found.file.spec);
    return isFirst ? [found.file.spec.containerEdits, found.edits] : [found.edits];
  });
}
