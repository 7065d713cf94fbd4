// Devices of the node for containers: found out when the container is created, and kept with it.
import { type Dirent, type Stats, constants } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, messageOf } from "../base/errors.ts";

/** As a caller asks for one. */
export interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  /** of "r", "w" and "m" */
  readonly permissions: string;
}

export interface Device {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly permissions: string;
}

// What the container has of its own, or what leads back to the terminal of whoever runs it.
const NOT_SHARED = new Set(["console", "fd", "fuse.lock", "hugepages", "mqueue", "pts", "ptmx", "shm", "stderr", "stdin", "stdout", "tty"]);
const MAX_DEVICES = 4096;

/** A folder gives all devices below it, as with Docker. @throws AgentError invalid-argument for what is no device */
export async function findDevices(requests: readonly DeviceRequest[]): Promise<Device[]> {
  const found = await Promise.all(requests.map(findDevice));
  return found.flat();
}

/** All of the node's, for a privileged container. */
export async function nodeDevices(): Promise<Device[]> {
  return await devicesBelow("/dev", "/dev", "rwm");
}

async function findDevice({ hostPath, containerPath, permissions }: DeviceRequest): Promise<Device[]> {
  if (!/^[rwm]{1,3}$/.test(permissions)) {
    throw new AgentError("invalid-argument", `device ${hostPath}: permissions ${JSON.stringify(permissions)} are not of "r", "w" and "m"`);
  }
  for (const path of [hostPath, containerPath]) {
    if (!path.startsWith("/") || path.includes("\0"))
      throw new AgentError("invalid-argument", `device ${JSON.stringify(path)}: it is no absolute path`);
  }
  // A link, such as /dev/disk/by-id/…, stands for what it leads to.
  const status = await stat(hostPath).catch((cause: unknown) => {
    throw new AgentError("invalid-argument", `device ${hostPath}: ${messageOf(cause)}`, { cause });
  });
  if (status.isDirectory()) return await devicesBelow(hostPath, containerPath, permissions);
  const device = asDevice(status, containerPath, permissions);
  if (device === undefined) throw new AgentError("invalid-argument", `device ${hostPath}: it is no device`);
  return [device];
}

async function devicesBelow(folder: string, containerFolder: string, permissions: string): Promise<Device[]> {
  const devices: Device[] = [];
  const folders: [from: string, to: string][] = [[folder, containerFolder]];
  for (let next = folders.pop(); next !== undefined && devices.length < MAX_DEVICES; next = folders.pop()) {
    const [from, to] = next;
    const entries: Dirent[] = await readdir(from, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (from === "/dev" && NOT_SHARED.has(entry.name)) continue;
      if (entry.isDirectory()) folders.push([join(from, entry.name), join(to, entry.name)]);
      const status =
        entry.isCharacterDevice() || entry.isBlockDevice() ? await lstat(join(from, entry.name)).catch(() => undefined) : undefined;
      const device = status === undefined ? undefined : asDevice(status, join(to, entry.name), permissions);
      if (device !== undefined) devices.push(device);
    }
  }
  return devices;
}

function asDevice(status: Stats, path: string, permissions: string): Device | undefined {
  const numbers = deviceNumbers(status);
  if (numbers === undefined) return undefined;
  const { mode, uid, gid } = status;
  return { path, ...numbers, fileMode: mode & ~constants.S_IFMT, uid, gid, permissions };
}

/** undefined for what is no device */
export function deviceNumbers(status: Stats): Pick<Device, "type" | "major" | "minor"> | undefined {
  if (!status.isCharacterDevice() && !status.isBlockDevice()) return undefined;
  return { type: status.isCharacterDevice() ? "c" : "b", major: majorOf(status.rdev), minor: minorOf(status.rdev) };
}

// @source makedev(3) of glibc: 12 bits of the major number stand above 8 bits of the minor one, the rest further up
const majorOf = (rdev: number): number => Number((BigInt(rdev) >> 8n) & 0xfffn) | Number((BigInt(rdev) >> 32n) & 0xfffff000n);
const minorOf = (rdev: number): number => Number(BigInt(rdev) & 0xffn) | Number((BigInt(rdev) >> 12n) & 0xffffff00n);
