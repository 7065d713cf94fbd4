// Which command could not be run: the OCI runtime does not always say.
import { kindOf, messageOf, wrap } from "../base/errors.ts";

/** @param failure of a start or an exec; only one that is the caller's to mend is about the command */
export function namingCommand(failure: unknown, command = ""): unknown {
  if (kindOf(failure) !== "invalid-argument" || messageOf(failure).includes(command)) return failure;
  return wrap(failure, `run ${JSON.stringify(command)}`);
}
