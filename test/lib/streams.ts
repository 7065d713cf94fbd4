// Streams of a container's processes as crictl asks for them: a ticket from the CRI, then SPDY.
import type { ExecutionContext } from "ava";
import type { Message } from "./cri.ts";
import type { Container, Pod } from "./pods.ts";
import { SpdyClient, type SpdyClientStream } from "./spdy-client.ts";

export interface ProcessStreams {
  /** with the ticket, which is used */
  readonly url: string;
  readonly client: SpdyClient;
  readonly error: SpdyClientStream;
  readonly stdin: SpdyClientStream;
  readonly stdout: SpdyClientStream;
  readonly stderr: SpdyClientStream;
  readonly resize: SpdyClientStream;
  /** 0, or what the status says. @throws its message when there is no exit code */
  readonly exitCode: () => Promise<number>;
}

interface Wanted {
  readonly tty?: boolean;
  readonly stdin?: boolean;
  /** false: the client reads nothing before it is told to */
  readonly reads?: boolean;
}

export async function execStreams(
  t: ExecutionContext,
  container: Container,
  cmd: readonly string[],
  wanted: Wanted = {},
): Promise<ProcessStreams> {
  return await openStreams(t, container, "Exec", { cmd }, wanted);
}

export async function attachStreams(t: ExecutionContext, container: Container, wanted: Wanted = {}): Promise<ProcessStreams> {
  return await openStreams(t, container, "Attach", {}, wanted);
}

async function openStreams(
  t: ExecutionContext,
  container: Container,
  call: string,
  more: Message,
  { tty = false, stdin = true, reads = true }: Wanted,
) {
  const request = { container_id: container.id, tty, stdin, stdout: true, stderr: !tty, ...more };
  const { url } = await container.node.cri.call<{ url: string }>(call, request);
  const client = await SpdyClient.connect(url, ["v4.channel.k8s.io"], reads);
  t.teardown(() => client.socket.destroy());
  const streams: Record<string, SpdyClientStream> = {};
  for (const [type, isWanted] of Object.entries({ error: true, stdin, stdout: true, stderr: !tty, resize: tty })) {
    if (isWanted) streams[type] = await client.open({ streamType: type });
  }
  const exitCode = async (): Promise<number> => {
    const status = JSON.parse((await streams["error"]?.ended) ?? "");
    if (status.status === "Success") return 0;
    if (status.reason !== "NonZeroExitCode") throw new Error(status.message);
    return Number(status.details.causes[0].message);
  };
  return { url, client, exitCode, ...streams } as unknown as ProcessStreams;
}

/** One connection to a port of the pod. */
export async function forwardedPort(t: ExecutionContext, pod: Pod, port: number, reads = true) {
  const { url } = await pod.node.cri.call<{ url: string }>("PortForward", { pod_sandbox_id: pod.id, port: [port] });
  const client = await SpdyClient.connect(url, ["portforward.k8s.io"], reads);
  t.teardown(() => client.socket.destroy());
  const headers = { port: String(port), requestID: "0" };
  const error = await client.open({ streamType: "error", ...headers });
  error.end();
  return { url, client, error, data: await client.open({ streamType: "data", ...headers }) };
}
