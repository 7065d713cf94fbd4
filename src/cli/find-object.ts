// From what people type to the pod, container or image they mean, where it may be any of them. Pure.
import { AgentError } from "../base/errors.ts";
import { type ContainerName, describeContainer, describeImage, describePod, findPod, type ImageName, type PodName, STEPS } from "./find.ts";
import { suggestion } from "./nearest.ts";

export const OBJECT_TYPES = ["pod", "container", "image"] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

export interface Objects {
  readonly pods: readonly PodName[];
  readonly containers: readonly ContainerName[];
  readonly images: readonly ImageName[];
}

export interface FoundObject {
  readonly type: ObjectType;
  /** an image's is without "sha256:" */
  readonly id: string;
}

interface Candidate extends FoundObject {
  readonly words: string;
}

/**
 * A whole id goes before a name, and a name before the beginning of an id, whatever it is of.
 *
 * @param only undefined looks among all of them
 * @throws AgentError not-found, or failed-precondition when several are meant
 */
export function findObject(text: string, { pods, containers, images }: Objects, only?: ObjectType): FoundObject {
  const wants = (type: ObjectType): boolean => only === undefined || only === type;
  const slash = text.indexOf("/");
  const within = slash < 0 || !wants("container") ? containers : containersOf(text.slice(0, slash), pods, containers);
  const name = text.slice(slash + 1);
  const hex = text.replace(/^sha256:/, "");
  for (const step of STEPS) {
    const found: Candidate[] = [
      ...(wants("pod") ? step(text, pods) : []).map((pod) => ({ type: "pod" as const, id: pod.id, words: describePod(pod) })),
      ...(wants("container") ? step(name, within) : []).map((container) => ({
        type: "container" as const,
        id: container.id,
        words: describeContainer(pods)(container),
      })),
      ...(wants("image") ? step(hex, images) : []).map((image) => ({ type: "image" as const, id: image.id, words: describeImage(image) })),
    ];
    const different = [...new Map(found.map((each) => [each.id, each])).values()];
    if (different.length > 1) throw ambiguous(text, different);
    const [object] = different;
    if (object !== undefined) return { type: object.type, id: object.id };
  }
  const all = [...(wants("pod") ? pods : []), ...(wants("container") ? containers : []), ...(wants("image") ? images : [])];
  const near = suggestion(
    text,
    all.map(({ name }) => name),
  );
  throw new AgentError("not-found", `find ${JSON.stringify(text)}: no ${only ?? "pod, container or image"} has this name or id${near}`);
}

// What stands before the slash may be the beginning of an image's name just as well.
function containersOf(podText: string, pods: readonly PodName[], containers: readonly ContainerName[]): ContainerName[] {
  try {
    const pod = findPod(podText, pods);
    return containers.filter(({ podId }) => podId === pod.id);
  } catch (failure) {
    if (failure instanceof AgentError && failure.kind === "not-found") return [];
    throw failure;
  }
}

function ambiguous(text: string, found: readonly Candidate[]): AgentError {
  const types = new Set(found.map(({ type }) => type));
  const way = types.size > 1 ? "give --type, or say more of the id" : "say more of the id";
  return new AgentError(
    "failed-precondition",
    `find ${JSON.stringify(text)}: it may be ${found.map(({ words }) => words).join(", ")}; ${way}`,
  );
}
