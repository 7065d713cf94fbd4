// Every failpoint once: a pod and an image live a whole life, and at that point a process dies. Afterwards everything can be taken away,
// and the world is as it was.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.ts";
import { installPrograms } from "../lib/install-programs.ts";
import type { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { BERTHD_FAILPOINTS, NATIVE_FAILPOINTS } from "./failpoints.ts";
import { pushImages } from "./image-life.ts";
import { isAsBefore, quietRemains } from "./remains.ts";

const HOST_PORT = 21_500;
const MOST_TRIES = 3;
const LOG_BYTES = 65_536;
// More than the log may have, so that it is rotated; then it waits for its end.
const PROGRAM = `i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i ${"x".repeat(150)}; done; trap 'exit 9' TERM; while :; do sleep 0.05; done`;
const IN_PID_NAMESPACE_OF_POD = { linux: { security_context: { namespace_options: { pid: "POD" } } } };

export const SWEEP_FLAGS = ["--container-log-max-size", String(LOG_BYTES)];

/**
 * @param node with `SWEEP_FLAGS`
 * @param builtWithFailpoints the folder of such programs
 * @param wanted which of the points
 * @param tell hears a line for each
 * @throws when some did not hold
 */
export async function sweep(node: TestNode, builtWithFailpoints: string, wanted: RegExp, tell: (line: string) => void): Promise<string> {
  await node.shutdown();
  node.bin = join(node.folder, "bin");
  await installPrograms(builtWithFailpoints, node.bin);
  await node.boot();
  const [image = ""] = await pushImages(node, 1);
  const world = new Sweep(node, image);
  await world.live();
  await world.takeAway();
  const before = await quietRemains(node);
  const names = [...BERTHD_FAILPOINTS, ...NATIVE_FAILPOINTS].filter((each) => wanted.test(each));
  let failures = 0;
  for (const name of names) {
    const startedAtMs = performance.now();
    try {
      await world.dieAt(name, before);
      tell(`  ✔ ${name} (${((performance.now() - startedAtMs) / 1000).toFixed(1)} s)`);
    } catch (failure) {
      failures += 1;
      tell(`  ✘ ${name}: ${messageOf(failure)}`);
    }
  }
  if (failures > 0) throw new Error(`${failures} of ${names.length} failpoints did not hold`);
  return `${names.length} failpoints: at each a process died, and the world is as it was`;
}

class Sweep {
  readonly #node: TestNode;
  readonly #image: string;

  constructor(node: TestNode, image: string) {
    this.#node = node;
    this.#image = image;
  }

  async dieAt(name: string, before: readonly string[]): Promise<void> {
    const node = this.#node;
    const mark = join(node.bin, "failpoint");
    const isNative = NATIVE_FAILPOINTS.includes(name);
    let wasPassed = (): boolean => !existsSync(mark);
    if (isNative) await writeFile(mark, name);
    else {
      await node.crash();
      wasPassed = await node.bootWith(name);
    }
    await this.live();
    await this.takeAway();
    const passed = wasPassed();
    await isAsBefore(node, before);
    if (!passed) throw new Error("nothing has come by");
  }

  /** What a process that dies takes along is asked for again, a few times, as a kubelet does. */
  async live(): Promise<void> {
    const node = this.#node;
    const cri = node.cri;
    await this.#try(() => cri.call("PullImage", { image: { image: this.#image } }));
    const config = { annotations: { "berth.io/rotate-logs": "true" }, port_mappings: [{ container_port: 80, host_port: HOST_PORT }] };
    const pod = await this.#try(() => Pod.run(node, config));
    if (pod !== undefined) await this.#livePod(pod);
    await this.#try(() => cri.call("RemoveImage", { image: { image: this.#image } }));
    // An orderly end, and a start.
    await node.shutdown();
    await this.#try(async () => {});
  }

  async #livePod(pod: Pod): Promise<void> {
    const cri = this.#node.cri;
    const started = async (name: string, command: readonly string[], more = {}): Promise<Container | undefined> => {
      const container = await this.#try(() => pod.create(name, command, more));
      await this.#try(async () => container?.start());
      return container;
    };
    const main = await started("main", ["sh", "-c", PROGRAM], IN_PID_NAMESPACE_OF_POD);
    if (main !== undefined) {
      await this.#try(() => main.exec(["echo", "alive"]));
      const limits = { linux: { memory_limit_in_bytes: 64 * 1024 ** 2 } };
      await this.#try(() => cri.call("UpdateContainerResources", { container_id: main.id, ...limits }));
      await this.#try(() => cri.call("ReopenContainerLog", { container_id: main.id }));
    }
    await started("without-a-program", ["/nowhere"]);
    await started("short", ["sh", "-c", "exit 3"]);
    await this.#try(async () => main?.stop(5));
    await this.#try(async () => main?.remove());
    // It would end by itself; so it has to be killed.
    await this.#try(async () => void process.kill(Number(JSON.parse((await pod.status()).info["info"] ?? "{}").portProxyPid), "SIGSTOP"));
    await this.#try(() => pod.stop());
    await this.#try(() => pod.remove());
  }

  /** @throws when something can't be taken away */
  async takeAway(): Promise<void> {
    const { cri } = this.#node;
    await this.#node.eventually("all pods can be removed", async () => {
      try {
        if (!this.#node.isUp) await this.#node.boot();
        const { items } = await cri.call<{ items: readonly { id: string }[] }>("ListPodSandbox", {});
        for (const { id } of items) await cri.call("RemovePodSandbox", { pod_sandbox_id: id });
        await cri.call("RemoveImage", { image: { image: this.#image } });
        return true;
      } catch {
        return undefined;
      }
    });
  }

  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      try {
        if (!this.#node.isUp) await this.#node.boot();
        return await work();
      } catch {
        // It is asked for again, or is not there.
      }
    }
    return undefined;
  }
}
