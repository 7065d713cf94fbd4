// Finds out what a machine is: the one place where `berth doctor` looks at it. Whatever can't be read counts as not there.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Mount, parseMountinfo } from "../../base/mountinfo.ts";
import type { Facts, NodeSettings, Place, Program, Route } from "./facts.ts";

const PROGRAM_TIMEOUT_MS = 5000;
const SBIN = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
// statfs(2)
const FILE_SYSTEMS: ReadonlyMap<number, Place["type"]> = new Map([
  [0x794c7630, "overlay"],
  [0x6969, "nfs"],
  [0x01021994, "tmpfs"],
]);

export async function readFacts(settings: NodeSettings, nowMs: number): Promise<Facts> {
  const mounts = parseMountinfo(text("/proc/self/mountinfo"));
  const cgroup = readCgroups(mounts);
  const { runtime, ownRuntime } = settings;
  const names = new Set(["crun", "runc", ...(runtime === "" || runtime === ownRuntime.name ? [] : [runtime])]);
  const criu = await readProgram("criu");
  // It looks at many things of the kernel: only where somebody wants it.
  const criuProblem = criu.path === undefined || !settings.checkpoints ? "" : await problemOf(criu.path, ["check"]);
  const [nft, ...runtimes] = await Promise.all([...["nft", ...names].map(readProgram), describe(ownRuntime.name, ownRuntime.path)]);
  const nftProblem = nft?.path === undefined ? "" : await problemOf(nft.path, ["list", "tables"]);
  return {
    uid: process.getuid?.() ?? -1,
    kernelRelease: release(),
    fileSystems: lines("/proc/filesystems").map((line) => line.split("\t").at(-1) ?? ""),
    ...cgroup,
    hasSeccomp: existsSync("/proc/sys/kernel/seccomp/actions_avail"),
    hasPressure: existsSync("/proc/pressure/memory"),
    maxUserNamespaces: Number(text("/proc/sys/user/max_user_namespaces") || 0),
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(text("/proc/self/status"))?.[1] ?? "0"}`),
    nft: nft ?? { name: "nft", path: undefined, version: "" },
    nftProblem,
    runtimes,
    criu,
    criuProblem,
    missingPrograms: settings.programs.filter((path) => findProgram(path) === undefined),
    root: readPlace(settings.root),
    state: readPlace(settings.state),
    rootIsShared: mounts.findLast(({ mountpoint }) => mountpoint === "/")?.isShared === true,
    somebodyListens: await listens(settings.socket),
    routes: lines("/proc/net/route").slice(1).flatMap(parseRoute),
    linkNames: lines("/proc/net/dev").flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? []),
    ipForward: text("/proc/sys/net/ipv4/ip_forward") === "1",
    hasSwap: lines("/proc/swaps").length > 1,
    nowMs,
  };
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

const lines = (path: string): string[] =>
  text(path)
    .split("\n")
    .filter((line) => line !== "");

function readCgroups(mounts: readonly Mount[]): Pick<Facts, "cgroupMode" | "cgroupControllers"> {
  const v1 = mounts.filter(({ type }) => type === "cgroup");
  const v2 = mounts.find(({ type }) => type === "cgroup2");
  if (v1.length === 0 && v2 === undefined) return { cgroupMode: "none", cgroupControllers: [] };
  if (v1.length === 0 && v2 !== undefined)
    return { cgroupMode: "v2", cgroupControllers: text(join(v2.mountpoint, "cgroup.controllers")).split(" ") };
  return { cgroupMode: v2 === undefined ? "v1" : "hybrid", cgroupControllers: v1.flatMap(({ options }) => options) };
}

/** @source the kernel's fib_trie.c: hexadecimal, in the machine's own byte order */
function parseRoute(line: string): Route[] {
  const [interfaceName, network, , , , , , mask] = line.split("\t");
  if (interfaceName === undefined || network === undefined || mask === undefined) return [];
  const number = (hex: string): number => Buffer.from(hex.trim(), "hex").readUInt32LE();
  return [{ interfaceName, network: number(network), mask: number(mask) }];
}

/** A folder that is not there yet will be made on the file system of the nearest one that is. */
function readPlace(folder: string): Place {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { type, bavail, bsize, ffree } = statfsSync(at);
      return { type: FILE_SYSTEMS.get(type) ?? "other", freeBytes: bavail * bsize, freeInodes: ffree };
    } catch {
      if (at === dirname(at)) return { type: "other", freeBytes: 0, freeInodes: 0 };
    }
  }
}

function findProgram(name: string): string | undefined {
  const paths = name.includes("/") ? [name] : [...(process.env["PATH"] ?? "").split(":"), ...SBIN].map((folder) => join(folder, name));
  return paths.find((path) => {
    const status = statSync(path, { throwIfNoEntry: false });
    return status?.isFile() === true && (status.mode & 0o111) !== 0;
  });
}

const readProgram = (name: string): Promise<Program> => describe(name, findProgram(name));

async function describe(name: string, path: string | undefined): Promise<Program> {
  if (path === undefined) return { name, path, version: "" };
  const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: PROGRAM_TIMEOUT_MS }).catch(() => ({ stdout: "" }));
  return { name, path, version: stdout.split("\n")[0]?.trim() ?? "" };
}

async function problemOf(path: string, args: readonly string[]): Promise<string> {
  return await promisify(execFile)(path, [...args], { timeout: PROGRAM_TIMEOUT_MS }).then(
    () => "",
    (failure: { readonly stderr?: string; readonly message: string }) =>
      (failure.stderr ?? failure.message).trim().split("\n")[0] ?? "it failed",
  );
}

function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
