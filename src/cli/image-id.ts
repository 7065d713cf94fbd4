import { shortId } from "../base/ids.ts";

/** "sha256:3f57d9…" as people read it. */
export const shortImageId = (id: string): string => shortId(id.replace(/^sha256:/, ""));
