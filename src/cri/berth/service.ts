// berth.v1: what the CRI has no call for.
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { BerthServer } from "../../generated/berth/v1/berth.ts";
import type { Edge } from "../edge.ts";
import { checkCredentials } from "./check-credentials.ts";
import { audit } from "./audit.ts";
import { copyFrom } from "./copy-from.ts";
import { copyTo } from "./copy-to.ts";
import { events } from "./events.ts";
import { listNetworks } from "./list-networks.ts";
import { listUsage } from "./list-usage.ts";
import { loadImage } from "./load-image.ts";
import { pruneImages } from "./prune-images.ts";
import { pullImage } from "./pull-image.ts";
import { saveImage } from "./save-image.ts";
import { tagImage } from "./tag-image.ts";
import { timeline } from "./timeline.ts";
import { untagImage } from "./untag-image.ts";
import { getConfig } from "./get-config.ts";
import { why } from "./why.ts";

export function berthService(edge: Edge): UntypedServiceImplementation {
  return {
    loadImage: edge.clientStream("LoadImage", loadImage),
    saveImage: edge.download("SaveImage", saveImage),
    tagImage: edge.unary("TagImage", tagImage),
    untagImage: edge.unary("UntagImage", untagImage),
    pullImage: edge.download("PullImage", pullImage),
    checkCredentials: edge.unary("CheckCredentials", checkCredentials),
    pruneImages: edge.unary("PruneImages", pruneImages),
    events: edge.serverStream("Events", events),
    timeline: edge.unary("Timeline", timeline),
    listUsage: edge.unary("ListUsage", listUsage),
    audit: edge.unary("Audit", audit),
    copyFrom: edge.serverStream("CopyFrom", copyFrom),
    copyTo: edge.clientStream("CopyTo", copyTo),
    getConfig: edge.unary("GetConfig", getConfig),
    why: edge.unary("Why", why),
    listNetworks: edge.unary("ListNetworks", listNetworks),
  } satisfies Partial<BerthServer>;
}
