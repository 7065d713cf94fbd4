// What berthd and its native programs may expect of each other when they are of different builds. docs/upgrading.md has the promise.
import { AgentError, kindOf } from "../base/errors.ts";

/** Raised when an old peer could misread a new message: peers of different versions don't talk. */
export const PROTOCOL_VERSION = 1;

/** What an older shim would pass over in silence, and the first revision that has it. What it has no call for it refuses itself. */
const SHIM_FEATURES = {
  "streams of a process": 1,
  "volumes of its own": 1,
  "arguments of a runtime handler": 2,
} as const;

export type ShimFeature = keyof typeof SHIM_FEATURES;

const OLDER_SHIM = "the pod was started by an older Berth, whose shim does not know it; make the pod anew";

/** @param revision as the shim has said @throws AgentError failed-precondition when it is older than the feature */
export function requireFeature(revision: number, feature: ShimFeature): void {
  if (revision < SHIM_FEATURES[feature]) throw new AgentError("failed-precondition", `use ${feature}: ${OLDER_SHIM}`);
}

/** What a shim says to a call that it does not know, in words that help; other failures as they are. */
export const explainUnknownCall = (failure: unknown): unknown =>
  kindOf(failure) === "unimplemented" ? new AgentError("failed-precondition", OLDER_SHIM, { cause: failure }) : failure;

/** @param peer "helper", "shim of pod 0a1b2c3d4e5f6" @throws AgentError failed-precondition */
export function requireProtocol(peer: string, theirs: number, advice: string): void {
  if (theirs === PROTOCOL_VERSION) return;
  throw new AgentError(
    "failed-precondition",
    `greet ${peer}: it speaks protocol ${theirs}, and this berthd ${PROTOCOL_VERSION}: ${advice}`,
  );
}
