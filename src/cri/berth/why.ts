import type { WhyRequest, WhyResponse } from "../../generated/berth/v1/berth.ts";
import type { Handler } from "../edge.ts";

/** What a pod, a container or an image waits for, in one line. */
export const why: Handler<WhyRequest, WhyResponse> = async (engine, { object }) => {
  const { notes, ...answer } = await engine.why.explain(object);
  return { ...answer, notes: [...notes] };
};
