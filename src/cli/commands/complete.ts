import type { Command } from "commander";
import type { NodeClient } from "../client.ts";
import { containerWords, plainWords } from "../completion-names.ts";
import { shortImageId } from "../image-id.ts";
import { listImages } from "../image-inventory.ts";
import { listAll, listPods } from "../inventory.ts";
import type { Session } from "../session.ts";

// Somebody has pressed a key and waits.
const LONGEST_WAIT_MS = 2000;

/** For the scripts of `berth completion`: the names of what is on the node, one a line. A shell has no place for failures. */
export function addComplete(program: Command, session: Session): Command {
  return program
    .command("__complete", { hidden: true })
    .argument("<kind>", "pods, containers or images")
    .action(async (kind: string) => {
      const words = await wordsOf(session.node, kind, AbortSignal.timeout(LONGEST_WAIT_MS)).catch(() => []);
      await session.print(words.map((word) => `${word}\n`).join(""));
    });
}

async function wordsOf(node: NodeClient, kind: string, signal: AbortSignal): Promise<string[]> {
  if (kind === "pods") return plainWords((await listPods(node, signal)).map(({ name }) => name));
  if (kind === "images") {
    const images = await listImages(node, "", signal);
    return plainWords(images.flatMap(({ id, repoTags }) => (repoTags.length > 0 ? repoTags : [shortImageId(id)])));
  }
  if (kind !== "containers") return [];
  const { pods, containers } = await listAll(node, signal);
  return containerWords(containers, pods);
}
