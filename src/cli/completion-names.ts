// Names that a shell may offer. Pure.
import type { ContainerName, PodName } from "./find.ts";

// A shell puts it into the command line as it is.
const PLAIN_WORD = /^[A-Za-z0-9_][A-Za-z0-9_.:/@-]*$/;

export const plainWords = (names: readonly string[]): string[] => [...new Set(names)].filter((name) => PLAIN_WORD.test(name));

/** Each as POD/NAME, and by its name alone where only one pod has it. */
export function containerWords(containers: readonly ContainerName[], pods: readonly PodName[]): string[] {
  const podNames = new Map(pods.map(({ id, name }) => [id, name]));
  const alone = [...Map.groupBy(containers, ({ name }) => name)].filter(([, all]) => new Set(all.map(({ podId }) => podId)).size === 1);
  return plainWords([...containers.map(({ podId, name }) => `${podNames.get(podId) ?? podId}/${name}`), ...alone.map(([name]) => name)]);
}
