// Which containers keep an image from being removed. Pure.
import { shortId } from "../base/ids.ts";
import type { PodName } from "./find.ts";
import type { ContainerEntry } from "./inventory.ts";

// A line is told, and not a page.
const MOST_NAMED = 5;

/** "container shop/web", "containers shop/web, shop/db and 3 more"; "" when there are none. */
export function imageUsers(imageId: string, pods: readonly PodName[], containers: readonly ContainerEntry[]): string {
  const podNames = new Map(pods.map(({ id, name }) => [id, name]));
  const using = containers.filter((each) => each.imageId === imageId);
  // Attempts of one name are one to who reads it.
  const users = [...new Set(using.map(({ podId, name }) => `${podNames.get(podId) ?? shortId(podId)}/${name}`))];
  if (users.length === 0) return "";
  const more = users.length > MOST_NAMED ? ` and ${users.length - MOST_NAMED} more` : "";
  return `container${users.length === 1 ? "" : "s"} ${users.slice(0, MOST_NAMED).join(", ")}${more}`;
}
