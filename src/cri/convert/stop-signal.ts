// Signals: runtime.v1 ↔ names. The CRI's numbers are not the kernel's.
import { AgentError } from "../../base/errors.ts";
import { Signal } from "../../generated/cri/runtime/v1/api.ts";

const PREFIX = "SIGNAL_";
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Signal).flatMap(([name, value]) =>
    typeof value === "number" && value > 0 ? [[value, name.slice(PREFIX.length)] as const] : [],
  ),
);

/** "SIGQUIT", "SIGRTMINPLUS1"; "" leaves it to the image. @throws AgentError invalid-argument */
export function toSignalName(signal: Signal): string {
  if (signal === Signal.SIGNAL_RUNTIME_DEFAULT) return "";
  const name = NAMES.get(signal);
  if (name === undefined) throw new AgentError("invalid-argument", `read container config: stop_signal ${signal} is not known`);
  return name;
}

/** A name that the CRI does not have, as an image may, is told as the runtime's default. */
export function fromSignalName(name: string): Signal {
  const full = name.startsWith("SIG") ? name : `SIG${name}`;
  const found = [...NAMES].find(([, known]) => known === full);
  return (found?.[0] as Signal | undefined) ?? Signal.SIGNAL_RUNTIME_DEFAULT;
}
