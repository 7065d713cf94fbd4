// Three things that hang at once: a worker of the helper that waits for a stopped unpacker, a pull from a registry that never answers,
// and a stopped shim that is asked for something.
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { makeImage } from "../lib/oci-image.ts";
import type { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";

// So many take long enough to be caught at.
const FILES = 2000;
const LOOK_AGAIN_MS = 2;
const MOST_TRIES = 5;
// Of a call to the stopped shim, by its caller; it is made again and again.
const CALLER_WAITS_MS = 5000;

export class Stuck {
  /** whose shim is stopped */
  readonly pod: Pod;
  readonly container: Container;
  /** the image that nobody sends */
  readonly silentImage: string;
  readonly #continue: () => Promise<void>;

  private constructor(pod: Pod, container: Container, silentImage: string, goOn: () => Promise<void>) {
    this.pod = pod;
    this.container = container;
    this.silentImage = silentImage;
    this.#continue = goOn;
  }

  /** When all three hang. @param name of its image, another each time */
  static async begin(node: TestNode, name: string): Promise<Stuck> {
    const pod = await Pod.run(node);
    const container = await pod.start("stuck", ["sleep", "100000"]);
    const shimPid = Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid);
    const unpacker = await stopUnpacker(node, name);
    const registry = await SilentRegistry.start(node);
    process.kill(shimPid, "SIGSTOP");
    let isOver = false;
    const ask = async (): Promise<void> => {
      const request = { container_id: container.id, cmd: ["true"], timeout: 0 };
      while (!isOver) await node.cri.call("ExecSync", request, CALLER_WAITS_MS).catch(() => {});
    };
    const asking = ask();
    return new Stuck(pod, container, registry.image, async () => {
      isOver = true;
      process.kill(shimPid, "SIGCONT");
      await Promise.all([registry.end(), unpacker.goOn(), asking]);
      await pod.remove();
    });
  }

  /** All three go on to their ends. */
  async end(): Promise<void> {
    await this.#continue();
  }
}

/** In the middle of a layer. @returns continues it, and waits for its image */
async function stopUnpacker(node: TestNode, name: string): Promise<{ goOn: () => Promise<void> }> {
  const helper = await node.eventually("there is a helper", async () => (await node.helperPid()) || undefined);
  for (let left = MOST_TRIES; left > 0; left--) {
    const own = `${name}-${left}`;
    const entries = Array.from({ length: FILES }, (_, index) => ({ name: `${own}-${index}`, content: own }));
    await node.registry.push(own, "1", makeImage({ entries: [entries] }));
    const image = { image: `${node.registry.address}/${own}:1` };
    let isPulled = false;
    const pulled = node.cri.call("PullImage", { image }, 120_000).finally(() => {
      isPulled = true;
    });
    // It is waited for below, or in goOn.
    pulled.catch(() => {});
    while (!isPulled) {
      const pid = unpackerOf(helper);
      if (pid !== undefined && stopped(pid)) {
        return {
          goOn: async () => {
            process.kill(pid, "SIGCONT");
            // berthd may have been killed meanwhile.
            await pulled.catch(() => {});
            await node.cri.call("PullImage", { image });
          },
        };
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
    await pulled;
  }
  throw new Error(`stop an unpacker: ${MOST_TRIES} layers were unpacked too fast`);
}

function unpackerOf(helper: number): number | undefined {
  const threads = readdirSync(`/proc/${helper}/task`);
  const children = threads.flatMap((thread) => words(`/proc/${helper}/task/${thread}/children`, " "));
  return children.map(Number).find((pid) => words(`/proc/${pid}/cmdline`, "\0").includes("unpack-layer"));
}

/** Nothing where the file has gone. */
function words(path: string, separator: string): string[] {
  try {
    return readFileSync(path, "utf8").split(separator).filter(Boolean);
  } catch {
    return [];
  }
}

/** A child of somebody who waits for it keeps its number until then, so that nobody else is hit. */
function stopped(pid: number): boolean {
  try {
    process.kill(pid, "SIGSTOP");
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Takes connections, and is pulled from all the time. */
class SilentRegistry {
  readonly image: string;
  readonly #end: () => Promise<void>;

  private constructor(image: string, end: () => Promise<void>) {
    this.image = image;
    this.#end = end;
  }

  static async start(node: TestNode): Promise<SilentRegistry> {
    const sockets = new Set<Socket>();
    let isOver = false;
    const refuse = (socket: Socket): void => void socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      socket.on("data", () => isOver && refuse(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const image = `127.0.0.1:${(server.address() as AddressInfo).port}/silent/image:1`;
    const pull = async (): Promise<void> => {
      while (!isOver) await node.cri.call("PullImage", { image: { image } }).catch(() => {});
    };
    const connected = new Promise((resolve) => server.once("connection", resolve));
    const pulling = pull();
    await connected;
    return new SilentRegistry(image, async () => {
      // It is not there, it says at last.
      isOver = true;
      sockets.forEach(refuse);
      await pulling;
      server.close();
    });
  }

  async end(): Promise<void> {
    await this.#end();
  }
}
