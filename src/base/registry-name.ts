// Which part of an image's name is a registry, as Docker reads it. Pure.

const DOCKER_HUB = "docker.io";

/** The first part is a registry when it looks like a host; otherwise the name is Docker Hub's. @param name without tag and digest */
export function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  if (first.includes(".") || first.includes(":") || first === "localhost") {
    const registry = first === "index.docker.io" ? DOCKER_HUB : first;
    const path = name.slice(slash + 1);
    return { registry, path: registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path };
  }
  return { registry: DOCKER_HUB, path: slash < 0 ? `library/${name}` : name };
}

/** Of an image's name with whatever follows it. */
export const registryOf = (reference: string): string => splitRegistry(reference.split("@")[0] ?? "").registry;
