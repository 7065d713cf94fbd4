// The files that every container of a pod finds in /etc. Values go into line files, so line breaks are refused.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../base/errors.ts";
import type { DnsConfig, SandboxConfig, SandboxRecord } from "./records.ts";

export const ETC_FILES = ["hosts", "hostname", "resolv.conf"] as const;
export type EtcFile = (typeof ETC_FILES)[number];

/** In the mount namespace of the pod's shim. */
export const etcFilePath = ({ stateDir, hasOwnEtc }: Pick<SandboxRecord, "stateDir" | "hasOwnEtc">, file: EtcFile): string =>
  join(stateDir, hasOwnEtc === true ? "etc" : "", file);

// A pod may not make us read without end.
const MAX_RESOLV_CONF_BYTES = 64 * 1024;
const LINE_BREAK_OR_NUL = /[\n\r\0]/;

/** @throws AgentError invalid-argument when a value holds a line break */
export function checkLineValues(config: SandboxConfig): void {
  const values = [config.hostname, ...config.dns.servers, ...config.dns.searches, ...config.dns.options];
  const bad = values.find((value) => LINE_BREAK_OR_NUL.test(value));
  if (bad !== undefined) {
    throw new AgentError(
      "invalid-argument",
      `read pod sandbox config: ${JSON.stringify(bad)} holds a line break, in hostname or dns_config`,
    );
  }
}

/** @param addresses the pod's own; none in a closed pod */
export function hostsText(hostname: string, addresses: readonly string[]): string {
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
  ];
  const own = addresses.length > 0 ? addresses : ["127.0.1.1"];
  if (hostname !== "") lines.push(...own.map((address) => `${address}\t${hostname}`));
  return `${lines.join("\n")}\n`;
}

/** undefined when the config says nothing, so that the node's own file is right. */
export function resolvConfText(dns: DnsConfig): string | undefined {
  if (dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0) return undefined;
  const lines = dns.servers.map((server) => `nameserver ${server}`);
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(" ")}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(" ")}`);
  return `${lines.join("\n")}\n`;
}

/** @param hostname what the pod's processes see as theirs */
export async function etcFiles(config: SandboxConfig, hostname: string, addresses: readonly string[]): Promise<Record<EtcFile, string>> {
  return {
    hosts: config.network === "host" ? await nodeFile("/etc/hosts") : hostsText(hostname, addresses),
    hostname: `${hostname}\n`,
    "resolv.conf": resolvConfText(config.dns) ?? (await nodeFile("/etc/resolv.conf")),
  };
}

async function nodeFile(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.slice(0, MAX_RESOLV_CONF_BYTES);
}
