// The values of `berth run`'s options, read one by one. Pure.
import { UsageError } from "./failure.ts";
import type { PublishedPort } from "./run-ports.ts";
import type { DeviceChoice, Volume } from "./run-volumes.ts";
import type { SecurityOptions } from "./security-options.ts";

/** closed and none are the same. */
export const NETWORKS = ["bridge", "closed", "none", "host"] as const;
export type Network = (typeof NETWORKS)[number];

export const PULL_POLICIES = ["missing", "always", "never"] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

export type Pair = readonly [key: string, value: string];

export interface User {
  /** a number, or a name that the container's own /etc/passwd knows */
  readonly user: bigint | string;
  readonly group: bigint | undefined;
}

export interface RunOptions extends SecurityOptions {
  readonly name?: string;
  readonly pod?: string;
  readonly detach?: boolean;
  readonly env?: readonly Pair[];
  readonly volume?: readonly Volume[];
  readonly mount?: readonly Volume[];
  readonly device?: readonly DeviceChoice[];
  readonly publish?: readonly PublishedPort[];
  /** paths */
  readonly envFile?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly hostname?: string;
  readonly entrypoint?: string;
  readonly readOnly?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly securityOpt?: readonly SecurityOptions[];
  readonly sysctl?: readonly Pair[];
  readonly pull?: PullPolicy;
  readonly restart?: string;
  /** bytes */
  readonly memory?: bigint;
  readonly cpus?: number;
  readonly pids?: number;
  readonly network?: Network;
  readonly user?: User;
  readonly workdir?: string;
  readonly label?: readonly Pair[];
  readonly rm?: boolean;
  /** absolute */
  readonly logRoot: string;
}

/** "K=V"; the value may be empty and may hold "=". @throws UsageError */
export function parsePair(text: string): Pair {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new UsageError(`${JSON.stringify(text)} is not of the form K=V`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

// The kernel takes no quota under a millisecond in a period of 100.
const FEWEST_CPUS = 0.01;
const MOST_CPUS = 4096;

/** "0.5". @throws UsageError */
export function parseCpus(text: string): number {
  const cpus = /^(\d{1,5})?(\.\d{1,6})?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!(cpus >= FEWEST_CPUS && cpus <= MOST_CPUS))
    throw new UsageError(`${JSON.stringify(text)} is no number of CPUs from ${FEWEST_CPUS} to ${MOST_CPUS}`);
  return cpus;
}

/** "1000", "1000:50", "app" or "app:50"; groups go by number only. @throws UsageError */
export function parseUser(text: string): User {
  const [user = "", group, ...rest] = text.split(":");
  const isNumber = (part: string): boolean => /^\d{1,10}$/.test(part);
  if (user === "" || rest.length > 0 || (group !== undefined && !isNumber(group))) {
    throw new UsageError(`${JSON.stringify(text)} is not USER or USER:GROUP, with the group as a number`);
  }
  return { user: isNumber(user) ? BigInt(user) : user, group: group === undefined ? undefined : BigInt(group) };
}

/** "K=V", or "K" for any value. @throws UsageError */
export function parseSelector(text: string): Pair {
  return text.includes("=") || text === "" ? parsePair(text) : [text, ""];
}

/** "NET_ADMIN", "CAP_NET_ADMIN" or "ALL", in any case. @throws UsageError */
export function parseCapability(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (!/^[A-Z_]{2,32}$/.test(name)) throw new UsageError(`${JSON.stringify(text)} is no capability such as NET_ADMIN, and not ALL`);
  return name;
}

/** Names become part of file names and host names. @throws UsageError */
export function parseName(text: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text))
    throw new UsageError(`${JSON.stringify(text)} is no name of up to 63 letters, digits, ".", "_" and "-"`);
  return text;
}

/** The last part of the image's name; of an image that is named by its id, the id's first digits. */
export function defaultName(image: string): string {
  const id = /^(?:sha256:)?([0-9a-f]{64})$/.exec(image)?.[1];
  if (id !== undefined) return `image-${id.slice(0, 12)}`;
  const name = image.split("@")[0]?.split("/").at(-1)?.split(":")[0] ?? "";
  return parseName(name);
}
