import { createServer, type Server, type Socket } from "node:net";
import type { Command } from "commander";
import { PortForwardRequest, RuntimeServiceService as Runtime } from "../../generated/cri/runtime/v1/api.ts";
import { messageOf } from "../../base/errors.ts";
import { UsageError } from "../failure.ts";
import { findPod } from "../find.ts";
import { listAll } from "../inventory.ts";
import { Interrupts } from "../interrupts.ts";
import { message } from "../message.ts";
import { examples } from "../options.ts";
import { forwardConnection } from "../remote-port.ts";
import type { Session } from "../session.ts";
import { parseWhole } from "../units.ts";

interface ForwardOptions {
  readonly address: string;
}

export function addPortForward(program: Command, session: Session): Command {
  const command = program
    .command("port-forward")
    .description("lead ports of this machine to ports of a pod, until Ctrl-C")
    .argument("<pod>", "id, beginning of an id, or name")
    .argument("<port...>", "LOCAL:POD, PORT for the same on both sides, or :POD for a local port that is free")
    .option("--address <ip>", "where to listen", "127.0.0.1")
    .action((pod: string, ports: string[], options: ForwardOptions) => portForward(session, pod, ports, options));
  return examples(command, "berth port-forward web 8080:80", "berth port-forward web :80");
}

async function portForward(session: Session, text: string, ports: readonly string[], { address }: ForwardOptions): Promise<void> {
  const pairs = ports.map(parsePair);
  const { pods } = await listAll(session.node);
  const { id: podSandboxId } = findPod(text, pods);
  using interrupts = new Interrupts(session.world);
  const servers: Server[] = [];
  try {
    for (const { local, pod } of pairs) {
      const server = createServer({ allowHalfOpen: true }, (connection) => void serve(session, podSandboxId, pod, connection));
      servers.push(server);
      const port = await listen(server, address, local);
      await session.print(`${address}:${port} leads to port ${pod} of ${text}\n`);
    }
    await new Promise<void>((resolve) => interrupts.first.addEventListener("abort", () => resolve()));
  } finally {
    for (const server of servers) server.close();
  }
}

/** One connection: a ticket, and a WebSocket, of its own. */
async function serve(session: Session, podSandboxId: string, port: number, connection: Socket): Promise<void> {
  connection.on("error", () => {});
  try {
    const { url } = await session.node.ask(Runtime.portForward, message(PortForwardRequest, { podSandboxId, port: [port] }));
    await forwardConnection(url, connection);
  } catch (failure) {
    await session.print(`berth: ${messageOf(failure)}\n`, "stderr");
  } finally {
    connection.destroy();
  }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

function parsePair(text: string): { local: number; pod: number } {
  const [, local, pod] = /^(?:(\d*):)?(\d+)$/.exec(text) ?? [];
  if (pod === undefined) throw new UsageError(`${JSON.stringify(text)} is not LOCAL:POD, PORT or :POD`);
  return { local: local === "" ? 0 : parseWhole(local ?? pod, 1, 65_535), pod: parseWhole(pod, 1, 65_535) };
}
