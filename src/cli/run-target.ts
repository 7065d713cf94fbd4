// Which pod a new container goes to, and which attempt of its name it is. Pure.
import { AgentError } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { ContainerState } from "../generated/cri/runtime/v1/api.ts";
import type { ContainerEntry, PodEntry } from "./inventory.ts";
import { UsageError } from "./failure.ts";
import type { RunOptions } from "./run-options.ts";

// As many as are shown of it. Less would take the name of a pod that is to be made for the id of one that is there.
const LEAST_ID_DIGITS = 13;

/** What is decided when a pod is made. */
const OF_THE_POD = ["network", "publish", "dns", "dnsSearch", "hostname", "sysctl"] as const;
type OfThePod = (typeof OF_THE_POD)[number];

const flagOf = (name: OfThePod): string => (name === "dnsSearch" ? "--dns-search" : `--${name}`);

/**
 * The ready pod that `--pod` names, for the container to join; undefined when one is to be made.
 *
 * @throws AgentError failed-precondition when several have the name; UsageError when it has a network already
 */
export function podToJoin(options: Pick<RunOptions, "pod" | OfThePod>, pods: readonly PodEntry[]): PodEntry | undefined {
  const { pod: text } = options;
  if (text === undefined) return undefined;
  const meant = pods.filter((pod) => pod.ready && (pod.name === text || (text.length >= LEAST_ID_DIGITS && pod.id.startsWith(text))));
  if (meant.length > 1) {
    const candidates = meant.map(({ id }) => shortId(id)).join(", ");
    throw new AgentError("failed-precondition", `find pod ${JSON.stringify(text)}: ${candidates} have this name; give the id`);
  }
  const [pod] = meant;
  const decided = OF_THE_POD.find((name) => options[name] !== undefined);
  if (pod !== undefined && decided !== undefined)
    throw new UsageError(`pod ${text} is there and has its network and names; leave ${flagOf(decided)} out, or name another pod`);
  return pod;
}

/** @throws AgentError failed-precondition when one of this name runs in the pod */
export function nextAttempt(name: string, pod: PodEntry, containers: readonly ContainerEntry[]): number {
  const before = containers.filter((each) => each.podId === pod.id && each.name === name);
  const alive = before.find(({ state }) => state !== ContainerState.CONTAINER_EXITED);
  if (alive !== undefined)
    throw new AgentError("failed-precondition", `run container ${name}: pod ${pod.name} has one of this name, ${shortId(alive.id)}`);
  return Math.max(-1, ...before.map(({ attempt }) => attempt)) + 1;
}
