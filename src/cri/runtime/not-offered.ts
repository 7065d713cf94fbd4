import { AgentError } from "../../base/errors.ts";
import type { Handler } from "../edge.ts";

/** A call that is known and not there, with what a person may do instead. */
export const notOffered =
  <Request, Response>(why: string): Handler<Request, Response> =>
  () => {
    throw new AgentError("unimplemented", why);
  };
