import type { ListMetricDescriptorsRequest, ListMetricDescriptorsResponse } from "../../generated/cri/runtime/v1/api.ts";
import { toMetricDescriptors } from "../convert/metrics.ts";
import type { Handler } from "../edge.ts";

export const listMetricDescriptors: Handler<ListMetricDescriptorsRequest, ListMetricDescriptorsResponse> = () => ({
  descriptors: toMetricDescriptors(),
});
