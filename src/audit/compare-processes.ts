// Shims and port proxies, and records that their call has left half done.
import { type FoundProcess, ProcessRole } from "../generated/berth/native/helper.ts";
import type { SandboxRecord, ShimIdentity } from "../sandbox/records.ts";
import type { Difference } from "./difference.ts";
import type { Found } from "./look.ts";
import type { Records } from "./records.ts";

export function compareProcesses({ sandboxes, containers }: Records, found: Found): Difference[] {
  const byId = new Map<string, SandboxRecord>(sandboxes.map((sandbox) => [sandbox.id, sandbox]));
  return [
    ...found.processes.filter((process) => !isRecorded(byId.get(process.sandboxId), process)).map(strayProcess),
    ...sandboxes.flatMap((sandbox) => lostProcesses(sandbox, found)),
    ...sandboxes.filter(({ state }) => state === "planned").map(halfDonePod),
    ...containers.filter(({ state }) => state === "planned").map(halfDoneContainer),
  ];
}

const same = (known: ShimIdentity | undefined, { pid, startTicks }: FoundProcess): boolean =>
  known !== undefined && known.pid === pid && known.startTicks === startTicks;

function isRecorded(sandbox: SandboxRecord | undefined, process: FoundProcess): boolean {
  if (sandbox?.state !== "ready") return false;
  return same(process.role === ProcessRole.PROCESS_ROLE_SHIM ? sandbox.shim : sandbox.portProxy, process);
}

function strayProcess({ role, sandboxId, pid, startTicks }: FoundProcess): Difference {
  return {
    class: role === ProcessRole.PROCESS_ROLE_SHIM ? "shim" : "port proxy",
    object: `process ${pid}`,
    sandboxId,
    containerId: "",
    problem: "no pod that is ready has it on record",
    mend: { step: "kill-process", pid, startTicks },
  };
}

function lostProcesses({ id, state, shim, portProxy }: SandboxRecord, { alive, processes }: Found): Difference[] {
  if (state !== "ready") return [];
  const isGone = (known: ShimIdentity): boolean => !alive.has(known.pid) && !processes.some((process) => same(known, process));
  const lost: Difference[] = [];
  if (shim === undefined || isGone(shim)) {
    const object = shim === undefined ? "process unknown" : `process ${shim.pid}`;
    const problem = "it has ended, and its pod is ready on record";
    lost.push({ class: "shim", object, sandboxId: id, containerId: "", problem, mend: { step: "settle-pod" } });
  }
  if (portProxy !== undefined && isGone(portProxy)) {
    const problem = "it has ended: the pod's host ports are not served on loopback addresses";
    const mend = { step: "none", advice: "run the pod again" } as const;
    lost.push({ class: "port proxy", object: `process ${portProxy.pid}`, sandboxId: id, containerId: "", problem, mend });
  }
  return lost;
}

const halfDonePod = ({ id }: Records["sandboxes"][number]): Difference => ({
  class: "pod",
  object: id,
  sandboxId: id,
  containerId: "",
  problem: "it did not start, and could not be taken back whole",
  mend: { step: "settle-pod" },
});

const halfDoneContainer = ({ id, sandboxId }: Records["containers"][number]): Difference => ({
  class: "container",
  object: id,
  sandboxId,
  containerId: id,
  problem: "it was not created, and could not be taken back whole",
  mend: { step: "settle-pod" },
});
