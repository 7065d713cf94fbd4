// The folder of a pod's logs that `berth run` has made, and that `berth rm` takes away again. Pure.
import { basename, join, resolve } from "node:path";

export const MADE_BY_ANNOTATION = "berth.io/made-by";
export const MADE_BY_RUN = "berth run";
export const LOG_DIRECTORY_ANNOTATION = "berth.io/log-directory";

interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** As the kubelet has it, so that log collectors find their way. */
export const logFolder = (root: string, pod: PodIdentity): string => join(root, folderName(pod));

const folderName = ({ namespace, name, uid }: PodIdentity): string => `${namespace}_${name}_${uid}`;

/**
 * The folder to remove with the pod; undefined unless the pod itself says that `berth run` has made it. It must have the
 * pod's own name, which ends with its uid, so that no annotation makes us remove anything else.
 */
export function ownLogFolder(pod: PodIdentity & { readonly annotations: Readonly<Record<string, string>> }): string | undefined {
  const folder = pod.annotations[LOG_DIRECTORY_ANNOTATION];
  if (folder === undefined || pod.annotations[MADE_BY_ANNOTATION] !== MADE_BY_RUN || pod.uid === "") return undefined;
  return resolve(folder) === folder && basename(folder) === folderName(pod) ? folder : undefined;
}
