import type { AuditRequest, AuditResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

/** Where records and kernel differ; with `repair` what can be mended is. */
export const audit: Handler<AuditRequest, AuditResponse> = async (engine, { repair }) => {
  const { differences, busyPods, truncated } = await engine.audit.audit(repair);
  return {
    differences: differences.map(({ class: kind, object, sandboxId, containerId, problem, mend, mended, failure }) => ({
      class: kind,
      object,
      podSandboxId: sandboxId,
      containerId,
      problem,
      mendable: mend.step !== "none",
      advice: mend.step === "none" ? mend.advice : "",
      mended,
      failure,
    })),
    busyPods,
    truncated,
  };
};
