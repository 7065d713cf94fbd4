// Records against what exists, as a pure function. What is in the middle of being made or removed is for the caller to leave out.
import { compareCgroups } from "./compare-cgroups.ts";
import { compareDisk } from "./compare-disk.ts";
import { compareImages } from "./compare-images.ts";
import { compareMounts } from "./compare-mounts.ts";
import { compareNetwork } from "./compare-network.ts";
import { compareProcesses } from "./compare-processes.ts";
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Places, Records } from "./records.ts";

export function compare(records: Records, found: Found, places: Places): Difference[] {
  return [
    ...compareProcesses(records, found),
    ...compareMounts(records, found, places),
    ...compareCgroups(records, found, places),
    ...compareNetwork(records, found, places),
    ...compareDisk(records, found, places),
    ...compareImages(records, found),
  ];
}
