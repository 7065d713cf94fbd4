// Ports of the node that lead to a pod: -p. Pure.
import { UsageError } from "./failure.ts";

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

export interface PublishedPort {
  /** "" is every address of the node */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: (typeof PROTOCOLS)[number];
}

/** "[IP:]HOST-PORT:POD-PORT[/udp]". @throws UsageError */
export function parsePort(text: string): PublishedPort {
  const [ports = "", protocol = "tcp", ...more] = text.split("/");
  const parts = ports.split(":");
  const [hostIp = "", host = "", pod = ""] = parts.length === 3 ? parts : ["", ...parts];
  const known = PROTOCOLS.find((each) => each === protocol);
  if (known === undefined || more.length > 0 || parts.length < 2 || parts.length > 3 || !isPort(host) || !isPort(pod))
    throw new UsageError(`${JSON.stringify(text)} is not HOST-PORT:POD-PORT, IP:HOST-PORT:POD-PORT or one of them with /udp or /sctp`);
  return { hostIp, hostPort: Number(host), containerPort: Number(pod), protocol: known };
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
