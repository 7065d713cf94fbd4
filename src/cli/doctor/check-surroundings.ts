// What else is on the machine: other nodes, networks, swap, the time.
import { type Check, error, ok, warning } from "./check.ts";
import type { Facts, NodeSettings, Route } from "./facts.ts";

// Certificates of registries are not valid before; a clock that says less was never set.
const EARLIEST_MS = Date.UTC(2025, 0, 1);

export function checkSurroundings(facts: Facts, settings: NodeSettings): Check[] {
  return [
    another(facts, settings),
    subnet(facts, settings),
    bridge(facts, settings),
    forwarding(facts),
    propagation(facts),
    swap(facts),
    time(facts),
  ];
}

const another = ({ somebodyListens }: Facts, { socket }: NodeSettings): Check =>
  somebodyListens
    ? warning(
        "another berthd",
        `one listens on ${socket}`,
        "a second one is refused; give it a socket, root, state, bridge and pod-subnet of its own",
      )
    : ok("another berthd", `nobody listens on ${socket}`);

function subnet({ routes }: Facts, { podSubnet, bridge: ours }: NodeSettings): Check {
  const wanted = parseSubnet(podSubnet);
  if (wanted === undefined) return error("pod-subnet", podSubnet, "it is no IPv4 subnet");
  const clash = routes.find((route) => route.interfaceName !== ours && route.mask !== 0 && overlap(route, wanted));
  if (clash === undefined) return ok("pod-subnet", podSubnet);
  return error("pod-subnet", `${podSubnet} is reached by ${clash.interfaceName} already`, "set pod-subnet to one that nothing else uses");
}

type Network = Pick<Route, "network" | "mask">;

function parseSubnet(text: string): Network | undefined {
  const [, address = "", length = ""] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text) ?? [];
  if (address === "" || Number(length) > 32) return undefined;
  const number = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const mask = length === "0" ? 0 : (0xffffffff << (32 - Number(length))) >>> 0;
  return { network: (number & mask) >>> 0, mask };
}

/** One holds the other when they are equal under the shorter mask. */
function overlap(one: Network, other: Network): boolean {
  const mask = (one.mask & other.mask) >>> 0;
  return (one.network & mask) >>> 0 === (other.network & mask) >>> 0;
}

const bridge = ({ linkNames, somebodyListens }: Facts, { bridge: name }: NodeSettings): Check =>
  linkNames.includes(name) && !somebodyListens
    ? warning(
        "bridge",
        `${name} is there already`,
        "it is a node's that has pods still, or somebody else's: then set `bridge` to another name",
      )
    : ok("bridge", name);

const forwarding = ({ ipForward }: Facts): Check =>
  ipForward ? ok("ip_forward", "on") : ok("ip_forward", "off; turned on with the pod network, and off again with its end");

const propagation = ({ rootIsShared }: Facts): Check =>
  rootIsShared
    ? ok("mount propagation", "/ is shared")
    : warning(
        "mount propagation",
        "/ is private",
        "volumes that are mounted later, and Bidirectional ones, are not seen: mount --make-rshared /",
      );

const swap = ({ hasSwap }: Facts): Check =>
  hasSwap
    ? warning("swap", "on", "a kubelet refuses to start unless it is told to bear it, and containers may swap up to their memory limit")
    : ok("swap", "off");

const time = ({ nowMs }: Facts): Check =>
  nowMs >= EARLIEST_MS
    ? ok("time", new Date(nowMs).toISOString())
    : error("time", new Date(nowMs).toISOString(), "certificates of registries will not be valid: set the clock");
