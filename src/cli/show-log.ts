// A container's log on the terminal: its standard output to ours, its standard error to ours.
import { type LogPart, LogParser, LogRenderer, LogTail } from "./cri-log.ts";
import { CAUGHT_UP, type readLog } from "./log-file.ts";
import { LogSince } from "./log-since.ts";
import type { Session } from "./session.ts";

export interface LogOptions {
  readonly timestamps: boolean;
  /** undefined shows all lines */
  readonly tailLines?: number | undefined;
  /** since the epoch; undefined shows lines of any age */
  readonly sinceNanos?: bigint | undefined;
}

export async function showLog(session: Session, bytes: ReturnType<typeof readLog>, options: LogOptions): Promise<void> {
  const parser = new LogParser();
  const renderer = new LogRenderer(options.timestamps);
  const show = async (parts: readonly LogPart[]): Promise<void> => {
    for (const { stream, bytes } of renderer.render(parts)) await session.print(bytes, stream);
  };
  const since = options.sinceNanos === undefined ? undefined : new LogSince(options.sinceNanos);
  const wanted = (parts: LogPart[]): LogPart[] => since?.filter(parts) ?? parts;
  let tail = options.tailLines === undefined ? undefined : new LogTail(options.tailLines);
  for await (const chunk of bytes) {
    if (chunk !== CAUGHT_UP) {
      const parts = wanted(parser.push(chunk));
      if (tail === undefined) await show(parts);
      else tail.push(parts);
    } else if (tail !== undefined) {
      await show(tail.lines());
      tail = undefined;
    }
  }
  await show(wanted(parser.finish()));
}
