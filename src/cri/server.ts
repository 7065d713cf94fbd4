// The gRPC server on the unix socket.
import { chmod, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { AgentError, messageOf } from "../base/errors.ts";
import { BerthService } from "../generated/berth/v1/berth.ts";
import { ImageServiceService, RuntimeServiceService } from "../generated/cri/runtime/v1/api.ts";
import { berthService } from "./berth/service.ts";
import type { Edge } from "./edge.ts";
import { imageService } from "./image/service.ts";
import { runtimeService } from "./runtime/service.ts";

// What the kubelet takes; an ExecSync may answer with two full streams.
const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
const MAX_SEND_BYTES = 40 * 1024 * 1024;
const DRAIN_MS = 10_000;
// For work whose call was cancelled because it took longer than that.
const CANCELLED_MS = 1000;

export interface CriServer {
  /** Takes no new calls, waits for those in flight, at most 11 s, and removes the socket. */
  stop(): Promise<void>;
}

/** @throws AgentError already-exists when another process listens on the socket */
export async function serve(socketPath: string, mode: number, edge: Edge): Promise<CriServer> {
  await removeStale(socketPath);
  const server = new Server({
    "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
    "grpc.max_send_message_length": MAX_SEND_BYTES,
  });
  server.addService(RuntimeServiceService, runtimeService(edge));
  server.addService(ImageServiceService, imageService(edge));
  server.addService(BerthService, berthService(edge));
  // The socket must at no moment be open to more than its mode says, so it is made closed, and opened then.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (failure) => {
        if (failure === null) resolve();
        else reject(new AgentError("unavailable", `listen on ${socketPath}: ${messageOf(failure)}`, { cause: failure }));
      });
    });
  } finally {
    process.umask(umask);
  }
  await chmod(socketPath, mode);
  return {
    async stop() {
      edge.endStreams();
      const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const late = setTimeout(() => server.forceShutdown(), DRAIN_MS);
      await closed;
      clearTimeout(late);
      // A call that goes on regardless (an exec that was asked for an hour) is left to itself: its shim outlives us.
      await Promise.race([edge.drained(), new Promise((resolve) => setTimeout(resolve, CANCELLED_MS))]);
      await rm(socketPath, { force: true });
    },
  };
}

/** A socket that nobody listens on is what a killed berthd left. */
async function removeStale(socketPath: string): Promise<void> {
  const listening = await new Promise<boolean>((resolve) => {
    const socket = createConnection(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (listening) throw new AgentError("already-exists", `listen on ${socketPath}: another process listens there`);
  await rm(socketPath, { force: true });
}
