// The folders of a node.
import { formatBytes } from "../units.ts";
import { type Check, error, ok, warning } from "./check.ts";
import type { Facts, NodeSettings, Place } from "./facts.ts";

// <state>/s/<24 digits> has to fit the 107 bytes that the kernel takes for a socket.
const LONGEST_STATE_BYTES = 80;
const LEAST_FREE = { root: 256 * 1024 ** 2, state: 8 * 1024 ** 2 };
const GOOD_FREE = { root: 4 * 1024 ** 3, state: 64 * 1024 ** 2 };
const LEAST_INODES = 10_000;

export function checkPlaces(facts: Facts, settings: NodeSettings): Check[] {
  return [
    ...paths(settings),
    room(`root ${settings.root}`, facts.root, "root"),
    room(`state ${settings.state}`, facts.state, "state"),
    fileSystem(settings.root, facts.root),
  ];
}

function paths({ root, state }: NodeSettings): Check[] {
  const checks: Check[] = [];
  const bytes = Buffer.byteLength(state);
  if (bytes > LONGEST_STATE_BYTES)
    checks.push(error("path of state", `${bytes} bytes`, `sockets are in it: choose one of at most ${LONGEST_STATE_BYTES} bytes`));
  if (/[:,\\]/.test(root)) checks.push(error("path of root", root, "mount options can't hold ':', ',' or '\\': choose another"));
  return checks.length > 0 ? checks : [ok("paths", "short and plain enough")];
}

function room(name: string, { freeBytes, freeInodes, type }: Place, place: "root" | "state"): Check {
  const found = `${formatBytes(BigInt(freeBytes))} free`;
  if (freeBytes < LEAST_FREE[place]) return error(name, found, "make room, or choose another folder");
  // Some file systems have no fixed number of inodes, and say 0.
  if (freeInodes > 0 && freeInodes < LEAST_INODES && type !== "tmpfs")
    return warning(name, `${freeInodes} inodes free`, "a layer may have more files than that");
  if (freeBytes < GOOD_FREE[place])
    return warning(name, found, place === "root" ? "that is room for few images" : "that is room for few pods");
  return ok(name, found);
}

function fileSystem(root: string, { type }: Place): Check {
  const name = "file system of root";
  if (type === "overlay") return error(name, "overlay", `roots of containers can't lie on overlayfs: mount a disk at ${root}`);
  if (type === "nfs") return error(name, "nfs", "records and layers need a local disk");
  if (type === "tmpfs") return warning(name, "tmpfs", "images and records are gone with the next boot");
  return ok(name, "local");
}
