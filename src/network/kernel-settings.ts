// Settings of the kernel that forwarding for pods takes, with what they were before. Paths are below /proc/sys.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelSetting } from "../generated/berth/native/helper.ts";
import type { Family } from "./subnet.ts";

/** Path → value. */
export type SettingsBefore = Readonly<Record<string, string>>;

export const IP_FORWARD = "net/ipv4/ip_forward";
const IPV6_CONF = "net/ipv6/conf";
const IPV6_FORWARDING = `${IPV6_CONF}/all/forwarding`;

/**
 * What has to be changed, as it is now.
 *
 * A node that forwards IPv6 is a router, and the kernel has routers take no router advertisements: the node would lose its own
 * addresses and its default route at that moment. So each interface that took them before is told to take them all the same.
 *
 * @param own interfaces of ours, which take none
 */
export async function readSettings(families: readonly Family[], own: ReadonlySet<string>, procSys = "/proc/sys"): Promise<SettingsBefore> {
  const read = async (path: string): Promise<string> => (await readFile(join(procSys, path), "utf8").catch(() => "")).trim();
  const found: Record<string, string> = {};
  if (families.includes(4)) found[IP_FORWARD] = await read(IP_FORWARD);
  if (!families.includes(6)) return found;
  const forwarding = await read(IPV6_FORWARDING);
  // A kernel without IPv6; the helper says so.
  if (forwarding === "") return found;
  found[IPV6_FORWARDING] = forwarding;
  if (forwarding === "1") return found;
  for (const name of await readdir(join(procSys, IPV6_CONF))) {
    if (name === "all" || name === "lo" || own.has(name)) continue;
    const paths = { forwarding: `${IPV6_CONF}/${name}/forwarding`, acceptRa: `${IPV6_CONF}/${name}/accept_ra` };
    const [forwards, acceptRa] = await Promise.all([read(paths.forwarding), read(paths.acceptRa)]);
    // Set for all, and set back for all.
    if (forwards === "1") found[paths.forwarding] = forwards;
    else if (acceptRa === "1") found[paths.acceptRa] = acceptRa;
  }
  return found;
}

const isAcceptRa = (path: string): boolean => path.endsWith("/accept_ra");
const isSwitch = (path: string): boolean => path === IP_FORWARD || path === IPV6_FORWARDING;

/** In the order in which nothing is lost on the way: who takes advertisements is settled before the node becomes a router. */
export function settingsToMake(before: SettingsBefore): KernelSetting[] {
  const paths = Object.keys(before);
  return [
    ...paths.filter(isAcceptRa).map((path) => ({ path, value: "2", insteadOf: "1" })),
    ...paths.filter(isSwitch).map((path) => ({ path, value: "1", insteadOf: "" })),
  ];
}

/** The way back: what somebody else has changed since stays, as far as it can be told. */
export function settingsToRestore(before: SettingsBefore): KernelSetting[] {
  const all = Object.entries(before);
  return [
    ...all.filter(([path]) => isSwitch(path)).map(([path, value]) => ({ path, value, insteadOf: "" })),
    ...all.filter(([path]) => !isSwitch(path) && !isAcceptRa(path)).map(([path, value]) => ({ path, value, insteadOf: "" })),
    ...all.filter(([path]) => isAcceptRa(path)).map(([path, value]) => ({ path, value, insteadOf: "2" })),
  ];
}
