// RemovePodSandbox, and the logs of a pod that `berth run` has made.
import { rm } from "node:fs/promises";
import { RemovePodSandboxRequest, RuntimeServiceService as Runtime } from "../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "./client.ts";
import { ownLogFolder } from "./log-folder.ts";
import { message } from "./message.ts";

type Pod = Parameters<typeof ownLogFolder>[0] & { readonly id: string };

/** The pod first: what still runs would make the folder anew. */
export async function removePod(node: NodeClient, pod: Pod): Promise<void> {
  await node.ask(Runtime.removePodSandbox, message(RemovePodSandboxRequest, { podSandboxId: pod.id }));
  const folder = ownLogFolder(pod);
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
