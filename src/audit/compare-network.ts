// Links, addresses and host ports of pods.
import type { HostPort } from "../generated/berth/native/helper.ts";
import { PortProtocol } from "../generated/berth/native/helper.ts";
import { addressesOf, type EndpointRecord, portsOf } from "../network/records.ts";
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Places, Records } from "./records.ts";

export function compareNetwork(records: Records, found: Found, places: Places): Difference[] {
  return [
    ...compareMade(found),
    ...compareLinks(records, found, places),
    ...compareAddresses(records),
    ...comparePorts(records, found, places),
  ];
}

/** What the pods have in common: the bridge, with the pods that are to be on it, the rules and the kernel's settings. */
const compareMade = ({ network }: Found): Difference[] =>
  network.map(({ object, problem }) => {
    return { class: "network", object, sandboxId: "", containerId: "", problem, mend: { step: "make-network" } };
  });

function compareLinks({ sandboxes, endpoints }: Records, { links, truncated }: Found, { linkAlias }: Places): Difference[] {
  const known = new Set(endpoints.map(({ hostInterface }) => hostInterface));
  const stray = links
    .filter(({ name, alias }) => !known.has(name) && alias.startsWith(linkAlias))
    .map(
      ({ name, alias }): Difference => ({
        class: "link",
        object: name,
        sandboxId: alias.slice(linkAlias.length),
        containerId: "",
        problem: "no endpoint has it on record",
        mend: { step: "delete-link", name },
      }),
    );
  if (truncated) return stray;
  const there = new Set(links.map(({ name }) => name));
  const ready = new Set<string>(sandboxes.filter(({ state }) => state === "ready").map(({ id }) => id));
  const lost = endpoints
    .filter(({ id, hostInterface }) => ready.has(id) && !there.has(hostInterface))
    .map(
      ({ id, hostInterface }): Difference => ({
        class: "link",
        object: hostInterface,
        sandboxId: id,
        containerId: "",
        problem: "it is not there, so its pod has no network",
        mend: { step: "none", advice: "run the pod again" },
      }),
    );
  return [...stray, ...lost];
}

function compareAddresses({ sandboxes, endpoints }: Records): Difference[] {
  const pods = new Set<string>(sandboxes.filter(({ state }) => state !== "notready").map(({ id }) => id));
  return endpoints
    .filter(({ id }) => !pods.has(id))
    .map((endpoint) => {
      const object = addressesOf(endpoint)
        .map(({ address }) => address)
        .join(", ");
      const problem = "it is held by a pod that is not there";
      return { class: "address", object, sandboxId: endpoint.id, containerId: "", problem, mend: { step: "release-address" } };
    });
}

function comparePorts({ endpoints }: Records, { hasNftTable, hostPorts }: Found, { hasNetwork }: Places): Difference[] {
  // A table that is not there is told as such.
  if (!hasNetwork || !hasNftTable) return [];
  const difference = (object: string, sandboxId: string, problem: string): Difference => {
    return { class: "host port", object, sandboxId, containerId: "", problem, mend: { step: "make-network" } };
  };
  const wanted = new Map(endpoints.flatMap((endpoint) => forwarded(endpoint).map((port) => [portText(port), endpoint.id])));
  const there = new Set(hostPorts.map(portText));
  return [
    ...[...there].filter((text) => !wanted.has(text)).map((text) => difference(text, "", "no pod has it on record")),
    ...[...wanted].filter(([text]) => !there.has(text)).map(([text, id]) => difference(text, id, "it is not in the nftables table")),
  ];
}

/** Those of loopback addresses are the port proxy's alone. */
const forwarded = (endpoint: EndpointRecord): HostPort[] =>
  portsOf(endpoint).filter(({ hostIp }) => !hostIp.startsWith("127.") && hostIp !== "::1");

const NAMES: ReadonlyMap<PortProtocol, string> = new Map([
  [PortProtocol.PORT_PROTOCOL_TCP, "tcp"],
  [PortProtocol.PORT_PROTOCOL_UDP, "udp"],
  [PortProtocol.PORT_PROTOCOL_SCTP, "sctp"],
]);

const portText = ({ protocol, hostIp, hostPort, podAddress, podPort }: HostPort): string =>
  `${NAMES.get(protocol) ?? "?"} ${inBrackets(hostIp)}:${hostPort} → ${inBrackets(podAddress)}:${podPort}`;

const inBrackets = (address: string): string => (address.includes(":") ? `[${address}]` : address);
