import { Argument, type Command } from "commander";
import { BerthService as Berth, type Network, type NetworkEndpoint } from "../../generated/berth/v1/berth.ts";
import { examples, type FormatOptions, formatOption, printRows } from "../options.ts";
import { NETWORKS, type Network as NetworkName } from "../run-options.ts";
import type { Session } from "../session.ts";
import { type Column, formatData } from "../table.ts";

const ACTIONS = ["ls", "inspect"] as const;
type Action = (typeof ACTIONS)[number];

const COLUMNS: readonly Column<Network>[] = [
  { title: "NAME", text: ({ name }) => name },
  { title: "KIND", text: ({ kind }) => kind },
  { title: "BRIDGE", text: ({ bridge }) => bridge },
  { title: "SUBNETS", text: ({ subnets }) => subnets.map(({ subnet }) => subnet).join(",") },
  { title: "GATEWAYS", text: ({ subnets }) => subnets.map(({ gateway }) => gateway).join(",") },
  { title: "MTU", text: ({ mtu }) => (mtu === 0 ? "" : String(mtu)), right: true },
  { title: "FREE", text: ({ subnets }) => subnets.map(({ free }) => String(free)).join(","), right: true },
  { title: "PODS", text: ({ endpoints }) => String(endpoints.length), right: true },
  { title: "PROBLEM", text: ({ problem }) => problem, long: true },
];

interface EndpointRow extends NetworkEndpoint {
  readonly network: string;
}

const ENDPOINT_COLUMNS: readonly Column<EndpointRow>[] = [
  { title: "NETWORK", text: ({ network }) => network },
  { title: "POD", text: ({ podName }) => podName },
  { title: "NAMESPACE", text: ({ podNamespace }) => podNamespace },
  { title: "INTERFACE", text: ({ hostInterface }) => hostInterface },
  { title: "ADDRESSES", text: ({ addresses }) => addresses.join(",") },
  { title: "PORTS", text: ({ ports }) => ports.map(portText).join(","), long: true },
];

const portText = ({ protocol, hostIp, hostPort, podPort }: NetworkEndpoint["ports"][number]): string =>
  `${hostIp.includes(":") ? `[${hostIp}]` : hostIp || "*"}:${hostPort}->${podPort}/${protocol}`;

export function addNetwork(program: Command, session: Session): Command {
  const command = program
    .command("network")
    .description("list the networks that pods may have, or with inspect the pods that have them")
    .addArgument(new Argument("<action>", "the networks, or their pods").choices(ACTIONS))
    .addArgument(new Argument("[network...]", "these only").choices(NETWORKS))
    .addOption(formatOption())
    .action((action: Action, names: NetworkName[], options: FormatOptions) => print(session, action, names, options));
  return examples(command, "berth network ls", "berth network inspect bridge", "berth network inspect bridge -o yaml");
}

async function print(session: Session, action: Action, names: readonly string[], options: FormatOptions): Promise<void> {
  const answer = await session.node.ask(Berth.listNetworks, {});
  const networks = answer.networks.filter(({ name }) => names.length === 0 || names.includes(name));
  if (options.output !== "table") return await session.print(formatData(networks, options.output));
  if (action === "ls") return await printRows(session, options, COLUMNS, networks);
  const rows = networks.flatMap(({ name, endpoints }) => endpoints.map((endpoint) => ({ ...endpoint, network: name })));
  await printRows(session, options, ENDPOINT_COLUMNS, rows);
}
