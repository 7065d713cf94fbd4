// What Exec and Attach may ask for, as Kubernetes' own streaming server has it.
import { AgentError } from "../../base/errors.ts";

interface Wanted {
  readonly containerId: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** @param doing "exec in" @throws AgentError invalid-argument */
export function checkStreams(doing: string, { containerId, tty, stdin, stdout, stderr }: Wanted): void {
  const refuse = (why: string): never => {
    throw new AgentError("invalid-argument", `${doing} container ${containerId}: ${why}`);
  };
  if (containerId === "") refuse("container_id is missing");
  if (tty && stderr) refuse("tty and stderr cannot both be true: a terminal has one stream for all output");
  if (!stdin && !stdout && !stderr) refuse("one of stdin, stdout and stderr must be set");
}
