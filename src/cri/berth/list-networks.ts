import type { ListNetworksRequest, ListNetworksResponse, Network, NetworkEndpoint } from "../../generated/berth/v1/berth.ts";
import { asSandboxId } from "../../base/ids.ts";
import { addressesOf, type EndpointRecord } from "../../network/records.ts";
import type { NetworkMode, SandboxRecord } from "../../sandbox/records.ts";
import type { Handler } from "../edge.ts";
import type { Engine } from "../engine.ts";

const MOST_TOLD = 2n ** 64n - 1n;

/** The bridge with its pods, and the pods without a network and in the node's. */
export const listNetworks: Handler<ListNetworksRequest, ListNetworksResponse> = (engine) => ({
  networks: [bridge(engine), other(engine, "none", "closed"), other(engine, "host", "host")],
});

function bridge({ network, sandboxes }: Engine): Network {
  const { subnets, ...made } = network.describe();
  return {
    name: "bridge",
    kind: "bridge",
    ...made,
    subnets: subnets.map(({ used, free, ...rest }) => ({ ...rest, used: BigInt(used), free: free < MOST_TOLD ? free : MOST_TOLD })),
    problem: network.problem ?? "",
    // A pod that is being made has its address before anybody sees the pod.
    endpoints: [...network.endpoints()].map((endpoint) => toEndpoint(endpoint.id, sandboxes.find(asSandboxId(endpoint.id)), endpoint)),
  };
}

function other({ sandboxes }: Engine, name: string, kind: NetworkMode): Network {
  const pods = sandboxes.list().filter(({ state, config }) => state === "ready" && config.network === kind);
  return {
    name,
    kind,
    bridge: "",
    nftTable: "",
    mtu: 0,
    subnets: [],
    problem: "",
    endpoints: pods.map((sandbox) => toEndpoint(sandbox.id, sandbox, undefined)),
  };
}

const toEndpoint = (podSandboxId: string, sandbox: SandboxRecord | undefined, endpoint: EndpointRecord | undefined): NetworkEndpoint => ({
  podSandboxId,
  podName: sandbox?.config.metadata.name ?? "",
  podNamespace: sandbox?.config.metadata.namespace ?? "",
  hostInterface: endpoint?.hostInterface ?? "",
  addresses: endpoint === undefined ? [] : addressesOf(endpoint).map(({ address }) => address),
  ports: (endpoint?.hostPorts ?? []).map((port) => ({ ...port })),
});
