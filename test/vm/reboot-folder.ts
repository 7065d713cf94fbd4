// What of a node outlives a reboot of the machine: records and images on its disk, and what the test has written down.
import type { NodeOptions } from "../lib/node.ts";

const FOLDER = "/var/lib/berth-reboot";

export const FACTS = `${FOLDER}/facts.json`;

/** As on a host: the state is in memory. */
export const FOLDERS: NodeOptions = { root: `${FOLDER}/lib`, state: "/run/berth-reboot" };

export interface Facts {
  readonly bootId: string;
  readonly image: string;
  readonly pod: string;
  readonly stoppedPod: string;
  /** Ids of containers. */
  readonly running: string;
  readonly created: string;
  readonly exited: string;
}
