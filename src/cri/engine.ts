// The engine as the CRI edge sees it: what a call may use.
import type { AuditService } from "../audit/audit-service.ts";
import type { InHand } from "../base/in-hand.ts";
import type { ContainerService } from "../container/container-service.ts";
import type { ImageService } from "../image/image-service.ts";
import type { NetworkService } from "../network/network-service.ts";
import type { LifecycleEvents } from "../sandbox/events.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { UsageService } from "../stats/usage-service.ts";
import type { WhyService } from "../why/why-service.ts";
import type { StreamingServer } from "./streaming/streaming-server.ts";

export interface Engine {
  readonly sandboxes: SandboxService;
  readonly containers: ContainerService;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly usage: UsageService;
  readonly audit: AuditService;
  readonly why: WhyService;
  /** As berthd was started with. */
  readonly settings: readonly { readonly name: string; readonly value: string; readonly from: string }[];
  readonly events: LifecycleEvents;
  readonly streaming: StreamingServer;
  readonly nowNanos: () => bigint;
  /** Why containers can't be run now; undefined when they can. */
  readonly runtimeProblem: () => string | undefined;
  /** Why nothing new can be recorded now; undefined when it can. */
  readonly diskProblem: () => Promise<string | undefined>;
  /** Runtime handlers by name, "" the default. */
  readonly handlers: ReadonlySet<string>;
  /** Those that can run pods with user namespaces. */
  readonly userNamespaceHandlers: ReadonlySet<string>;
  /** Whether the kernel can make mounts read-only with all that is below them. */
  readonly recursiveReadOnlyMounts: boolean;
  /** For people: what `crictl info` shows of how this node is set up. */
  readonly describe: () => Readonly<Record<string, unknown>>;
  /** The same, of devices of CDI: which there are, and what is wrong with others. */
  readonly describeCdi: () => Promise<Readonly<Record<string, unknown>>>;
  /** Where an image archive is kept while it comes in. */
  readonly uploadDir: string;
  /** Files of calls under way. */
  readonly inHand: InHand;
}
