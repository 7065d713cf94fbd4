// A node and an image for specs that are built of them, with nothing that a test is not about.
import type { NodeFacts } from "../../src/container/spec/build-spec.ts";
import type { ImageConfig } from "../../src/image/image-config.ts";

export const node: NodeFacts = {
  hostname: "node",
  capabilities: new Set<string>(),
  cgroupV2: false,
  swapAccounting: false,
  hugepages: false,
  ownOomScoreAdj: 0,
  mayLowerOomScore: true,
  defaultPidsLimit: 0,
};

export const image: ImageConfig = {
  user: "",
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: "",
  stopSignal: "",
  volumes: [],
  labels: {},
  exposedPorts: [],
};
