// What a container is allowed to do, with defaults, so that a test names only what it is about.
import type { ContainerSecurity } from "../../src/container/records.ts";

export const security = (change: Partial<ContainerSecurity> = {}): ContainerSecurity => ({
  privileged: false,
  pid: "container",
  pidTarget: "",
  addCapabilities: [],
  dropCapabilities: [],
  ambientCapabilities: [],
  runAsUser: undefined,
  runAsGroup: undefined,
  runAsUsername: "",
  supplementalGroups: [],
  groupsPolicy: "merge",
  readonlyRootfs: false,
  noNewPrivileges: false,
  maskedPaths: [],
  readonlyPaths: [],
  ...change,
});
