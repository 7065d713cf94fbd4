// From what people type to the pod, container or image they mean: an id, a beginning of one, or a name. Pure.
import { AgentError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { suggestion } from "./nearest.ts";

export interface PodName {
  readonly id: string;
  readonly name: string;
}

export interface ContainerName {
  readonly id: string;
  readonly podId: string;
  readonly name: string;
  /** how many of this name the pod has had before */
  readonly attempt?: number;
}

/** Once for each of its names; its id without "sha256:". */
export interface ImageName {
  readonly id: string;
  /** "" for an image without a name */
  readonly name: string;
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly podId?: string;
  readonly attempt?: number;
}

export type Found<P, C> = { readonly kind: "pod"; readonly pod: P } | { readonly kind: "container"; readonly container: C };

// A whole id is meant by nothing else; a name is whole too, so it goes before what is only the beginning of an id.
type Step = <T extends Named>(text: string, among: readonly T[]) => T[];
export const STEPS: readonly Step[] = [
  (text, among) => among.filter(({ id }) => id === text),
  (text, among) => (text === "" ? [] : newestAttempts(among.filter(({ name }) => name === text))),
  (text, among) => (text === "" ? [] : among.filter(({ id }) => id.startsWith(text))),
];

/** @throws AgentError not-found, or failed-precondition when several are meant */
export function findPod<P extends PodName>(text: string, pods: readonly P[]): P {
  const found = firstFound(text, pods, describePod);
  if (found === undefined)
    throw new AgentError(
      "not-found",
      `find pod ${JSON.stringify(text)}: there is none of this name or id${suggestion(text, namesOf(pods))}`,
    );
  return found;
}

/** @throws AgentError not-found, or failed-precondition when several are meant */
export function findContainer<C extends ContainerName>(text: string, containers: readonly C[], pods: readonly PodName[]): C {
  const slash = text.indexOf("/");
  const pod = slash < 0 ? undefined : findPod(text.slice(0, slash), pods);
  const within = pod === undefined ? containers : containers.filter(({ podId }) => podId === pod.id);
  const found = firstFound(text.slice(slash + 1), within, describeContainer(pods));
  if (found !== undefined) return found;
  const near = suggestion(text.slice(slash + 1), namesOf(within));
  throw new AgentError("not-found", `find container ${JSON.stringify(text)}: there is none of this name or id${near}`);
}

/**
 * Among pods first, then among containers; but a container's whole name goes before the mere beginning of a pod's id.
 *
 * @throws AgentError not-found, or failed-precondition when several are meant
 */
export function findEither<P extends PodName, C extends ContainerName>(
  text: string,
  pods: readonly P[],
  containers: readonly C[],
): Found<P, C> {
  if (text.includes("/")) return { kind: "container", container: findContainer(text, containers, pods) };
  for (const step of STEPS) {
    const pod = only(text, pods, step, describePod);
    if (pod !== undefined) return { kind: "pod", pod };
    const container = only(text, containers, step, describeContainer(pods));
    if (container !== undefined) return { kind: "container", container };
  }
  const near = suggestion(text, [...namesOf(pods), ...namesOf(containers)]);
  throw new AgentError("not-found", `find ${JSON.stringify(text)}: no pod and no container has this name or id${near}`);
}

/** @throws AgentError not-found, or failed-precondition when several are meant */
export function findImage(text: string, images: readonly ImageName[]): ImageName {
  const found = firstFound(text.replace(/^sha256:/, ""), images, describeImage);
  if (found === undefined)
    throw new AgentError(
      "not-found",
      `find image ${JSON.stringify(text)}: there is none of this name or id${suggestion(text, namesOf(images))}`,
    );
  return found;
}

const namesOf = (all: readonly Named[]): string[] => all.map(({ name }) => name);

function firstFound<T extends Named>(text: string, among: readonly T[], describe: (each: T) => string): T | undefined {
  for (const step of STEPS) {
    const found = only(text, among, step, describe);
    if (found !== undefined) return found;
  }
  return undefined;
}

function only<T extends Named>(text: string, among: readonly T[], step: Step, describe: (each: T) => string): T | undefined {
  // An image is there once for each of its names.
  const found = [...new Map(step(text, among).map((each) => [each.id, each])).values()];
  if (found.length > 1) {
    const candidates = found.map(describe).join(", ");
    throw new AgentError("failed-precondition", `find ${JSON.stringify(text)}: it may be ${candidates}; say more of the id`);
  }
  return found[0];
}

/** Of containers of one name, those that no other one of their pod has come after. */
function newestAttempts<T extends Named>(found: readonly T[]): T[] {
  const comesAfter = (other: T, each: T): boolean =>
    other.podId !== undefined && other.podId === each.podId && (other.attempt ?? 0) > (each.attempt ?? 0);
  return found.filter((each) => !found.some((other) => comesAfter(other, each)));
}

export const describePod = (pod: Named): string => `pod ${shortId(pod.id)} (${pod.name})`;

export const describeImage = ({ id, name }: Named): string => `image ${shortId(id)} (${name || "no name"})`;

export const describeContainer =
  (pods: readonly PodName[]) =>
  (container: ContainerName): string => {
    const pod = pods.find(({ id }) => id === container.podId);
    return `container ${shortId(container.id)} (${pod?.name ?? shortId(container.podId)}/${container.name})`;
  };
