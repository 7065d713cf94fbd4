// A machine that has nothing to complain of.
import type { Facts, NodeSettings } from "../../src/cli/doctor/facts.ts";

export const goodSettings: NodeSettings = {
  root: "/var/lib/berth",
  state: "/run/berth",
  socket: "/run/berth/berth.sock",
  bridge: "berth0",
  podSubnet: "10.88.0.0/16",
  runtime: "",
  ownRuntime: { name: "direct", path: "/usr/lib/berth/berth-runtime" },
  checkpoints: false,
  programs: [],
};

const place = { type: "other", freeBytes: 2 ** 40, freeInodes: 1_000_000 } as const;

export const goodFacts: Facts = {
  uid: 0,
  kernelRelease: "6.1.0-25-amd64",
  fileSystems: ["ext4", "overlay"],
  cgroupMode: "v2",
  cgroupControllers: ["cpu", "memory", "pids"],
  hasSeccomp: true,
  hasPressure: true,
  maxUserNamespaces: 1000,
  capabilities: (1n << 41n) - 1n,
  nft: { name: "nft", path: "/usr/sbin/nft", version: "nftables v1.0.6" },
  nftProblem: "",
  runtimes: [
    { name: "crun", path: "/usr/bin/crun", version: "crun version 1.8" },
    { name: "runc", path: undefined, version: "" },
    { name: "direct", path: "/usr/lib/berth/berth-runtime", version: "berth-runtime 0.1.0" },
  ],
  criu: { name: "criu", path: "/usr/sbin/criu", version: "Version: 3.17.1" },
  criuProblem: "",
  missingPrograms: [],
  root: place,
  state: place,
  rootIsShared: true,
  somebodyListens: false,
  routes: [
    { interfaceName: "eth0", network: 0, mask: 0 },
    { interfaceName: "eth0", network: 0xc0a80000, mask: 0xffff0000 },
    { interfaceName: "berth0", network: 0x0a580000, mask: 0xffff0000 },
  ],
  linkNames: ["lo", "eth0"],
  ipForward: false,
  hasSwap: false,
  nowMs: Date.UTC(2030, 0, 1),
};

/** For a command line that has a machine but no need of it. */
export const goodMachine = {
  nodeSettings: (): NodeSettings => goodSettings,
  readFacts: (): Promise<Facts> => Promise.resolve(goodFacts),
  checkConfig: (): { line: number; message: string }[] => [],
};
