// Structured logs: one JSON object a line on standard error.
import pino from "pino";
import type { LogLevel } from "./log-level.ts";

type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** @param part the process, "berthd" */
export function openLog(part: string, level: LogLevel): Log {
  const destination = pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level,
      base: { part },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: "msg",
    },
    destination,
  );
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
