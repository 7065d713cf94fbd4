// What a sandbox needs to ask of the containers in it. The container module implements it, because it may import this
// folder and not the other way round.
import type { SandboxId } from "../base/ids.ts";
import type { ShimContainer } from "../generated/berth/native/shim.ts";

export interface SandboxContents {
  /** Ends all processes now, records their exits, and frees what the containers hold in the kernel. */
  stopAll(sandboxId: SandboxId): Promise<void>;
  /** Removes all containers of a stopped sandbox, with their records. */
  removeAll(sandboxId: SandboxId): Promise<void>;
  /** The shim says that a container was started, or has exited. */
  changed(sandboxId: SandboxId, container: ShimContainer): void;
  /** berthd has come back: the shim's own list, to be compared with the records. */
  recover(sandboxId: SandboxId, containers: readonly ShimContainer[]): Promise<void>;
  /** The shim is gone and took its containers along; what they left on disk is in `stateDir`. */
  lost(sandboxId: SandboxId, stateDir: string): Promise<void>;
  /** Takes back containers that were planned and never made. */
  undoPlanned(sandboxId: SandboxId): Promise<void>;
  /** The machine was started anew since the containers ran. */
  rebooted(sandboxId: SandboxId): Promise<void>;
}
