// The two places of `berth cp`: CONTAINER:PATH, a path of this machine, or "-" for a tar. Pure.
import { UsageError } from "../failure.ts";

export type Place =
  | { readonly kind: "container"; readonly container: string; readonly path: string }
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "tar" };

/** What begins with "/" or "." is a path of this machine, whatever it holds; else the first colon ends a container's name. */
export function parsePlace(text: string): Place {
  if (text === "") throw new UsageError("a place to copy from or to is empty");
  if (text === "-") return { kind: "tar" };
  const colon = text.indexOf(":");
  if (/^[/.]/.test(text) || colon < 0) return { kind: "local", path: text };
  const [container, path] = [text.slice(0, colon), text.slice(colon + 1)];
  if (container === "" || path === "")
    throw new UsageError(`${JSON.stringify(text)} is not CONTAINER:PATH; a local file of that name is ./${text}`);
  return { kind: "container", container, path };
}

/** The name that a copy of this path has; undefined for "/", and for what ends in "." or "..": then it is about what is in it. */
export function nameOf(path: string): string | undefined {
  const last = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return ["", ".", ".."].includes(last) ? undefined : last;
}
