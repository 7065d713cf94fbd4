// An event as a line. Pure.
import { shortId } from "../base/ids.ts";
import type { EventsResponse } from "../generated/berth/v1/berth.ts";
import type { FormatOptions } from "./options.ts";
import { cell, formatData, formatJsonLine } from "./table.ts";
import { formatTime } from "./times.ts";

/** "TIME TYPE pod|container ID POD-NAME"; as JSON with whole ids, and the cursor to go on from. */
export function eventLine(event: EventsResponse, output: FormatOptions["output"]): string {
  const { cursor, type, id, podSandboxId: podId, podName: pod, atNanos } = event;
  const kind = id === podId ? "pod" : "container";
  const object = { cursor, atNanos, type, kind, id, podId, pod };
  if (output === "json") return formatJsonLine(object);
  if (output === "yaml") return `---\n${formatData(object, "yaml")}`;
  // As wide as the widest of them, so that the columns of lines that come one by one fit.
  return `${formatTime(atNanos)} ${cell(type).padEnd(11)} ${kind.padEnd(9)} ${shortId(cell(id))} ${cell(pod)}\n`;
}
