// What the kernel keeps between two programs: sent by the one, not yet read by the other. In bytes.
import { execFileSync } from "node:child_process";

/** Lines of ss, of the network namespace of a process, or ours. */
function sockets(args: readonly string[], ofPid = 0): string[][] {
  const [program = "", ...rest] = [...(ofPid === 0 ? [] : ["nsenter", `--net=/proc/${ofPid}/ns/net`]), "ss", "-H", "-n", ...args];
  const lines = execFileSync(program, rest, { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line !== "").map((line) => line.trim().split(/\s+/));
}

interface Ends {
  readonly unread: number;
  /** or not yet taken by the other's kernel */
  readonly unsent: number;
}

/** All connections to whoever listens on the port, together. */
export function tcpQueues(port: number, ofPid = 0): { readonly server: Ends; readonly client: Ends } {
  const ends = (side: "sport" | "dport"): Ends => {
    const rows = sockets(["-t", "state", "established", `( ${side} = :${port} )`], ofPid);
    const sum = (column: number): number => rows.reduce((bytes, row) => bytes + Number(row[column]), 0);
    return { unread: sum(0), unsent: sum(1) };
  };
  return { server: ends("sport"), client: ends("dport") };
}

/** What has come since its beginning on the one connection to whoever listens on the port. */
export function tcpReceived(port: number): number {
  const words = sockets(["-t", "-i", "state", "established", `( sport = :${port} )`]).flat();
  return Number(words.flatMap((word) => /^bytes_received:(\d+)/.exec(word)?.[1] ?? [])[0] ?? 0);
}

export const isListening = (port: number, ofPid: number): boolean => sockets(["-t", "-l", `( sport = :${port} )`], ofPid).length > 0;

/** What a process has not read yet of all its unix sockets. */
export function unixQueue(pid: number): number {
  const rows = sockets(["-x", "-p", "state", "established"]).filter((row) => row.some((word) => word.includes(`pid=${pid},`)));
  return rows.reduce((bytes, row) => bytes + Number(row[1]), 0);
}
