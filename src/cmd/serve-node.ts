// berthd as it runs: the socket first, then the node behind it, until a signal comes.
import { messageOf } from "../base/errors.ts";
import { openLog } from "../base/log.ts";
import type { Loaded } from "../config/load.ts";
import { Edge } from "../cri/edge.ts";
import type { Engine } from "../cri/engine.ts";
import { serve } from "../cri/server.ts";
import { startNode } from "./start-node.ts";
import { VERSION } from "./version.ts";

/** @param keepCompiled for the next start; @throws when it can't */
export async function serveNode(loaded: Loaded, keepCompiled: () => void): Promise<void> {
  const { socket, socketMode, logLevel } = loaded.config;
  const log = openLog("berthd", logLevel);
  const engine = Promise.withResolvers<Engine>();
  // A start that fails is told below; calls that came meanwhile have their own answer.
  engine.promise.catch(() => {});
  // Before anything is read: `Version` is answered meanwhile.
  const server = await serve(socket, socketMode, new Edge(engine.promise, log, VERSION));
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
  const starting = startNode(loaded, log);
  starting.then((node) => engine.resolve(node.engine), engine.reject);
  const node = await starting;
  log.info({ socket, version: VERSION }, "ready");
  try {
    keepCompiled();
  } catch (failure) {
    log.warn({ err: messageOf(failure) }, "what was compiled is not kept for the next start");
  }
  const signal = await stopped;
  log.info({ signal }, "stopping; pods go on");
  await server.stop();
  await node.stop();
}
