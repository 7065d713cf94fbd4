// An image service with a helper and a registry that a test has in its hands.
import type { ExecutionContext } from "ava";
import { FakeHelper } from "./fake-helper.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { ImageNode, never } from "./image-service.ts";

export async function startImages(t: ExecutionContext) {
  const helper = new FakeHelper();
  const registry = await FakeRegistry.start(t);
  const node = await ImageNode.start(t, helper);
  const pull = (name: string, signal = never) => node.images.pull(`${registry.address}/${name}`, undefined, signal);
  return { helper, registry, node, pull };
}

const LONGEST_MS = 5000;

export async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) return t.fail(`${what}: not within 5 s`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
