import { UsageError } from "./failure.ts";

/** "registry.example:5000" from what people type for it, a URL too. @throws UsageError for a path in a registry */
export function parseRegistry(text: string): string {
  const bare = text.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  if (bare === "" || /[/@\s]/.test(bare)) throw new UsageError(`${JSON.stringify(text)} is no registry, such as registry.example:5000`);
  return bare === "index.docker.io" || bare === "registry-1.docker.io" ? "docker.io" : bare;
}
