// The berth command line as a person types it, against a test's node.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { PATIENCE } from "./patience.ts";
import { programs, type TestNode } from "./node.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const LONGEST_MS = 60_000 * PATIENCE;

export function berthOf(node: () => TestNode, more: Readonly<Record<string, string>> = {}) {
  const environment = () => ({ ...process.env, BERTH_SOCKET: node().socket, BERTH_LOG_ROOT: node().logs, ...more });
  const berth = async (...args: string[]): Promise<Outcome> => {
    try {
      const { stdout, stderr } = await promisify(execFile)(join(programs, "berth"), args, { env: environment(), timeout: LONGEST_MS });
      return { code: 0, stdout, stderr };
    } catch (failure) {
      const { code, stdout, stderr } = failure as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  };
  const succeeds = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await berth(...args);
    if (code !== 0) throw new Error(`berth ${args.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout;
  };
  return { environment, berth, succeeds };
}
