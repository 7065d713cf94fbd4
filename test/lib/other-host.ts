// Another host for a test: a network namespace of its own, with a cable to the node's.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { Teardown } from "./teardown.ts";

export const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: "pipe", timeout: 20_000 });

export class OtherHost {
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** @param addresses pairs of the node's and the other's, with prefix lengths, for the two ends of the cable; the node is its router */
  static async start(t: Teardown, ...addresses: readonly (readonly [node: string, other: string])[]): Promise<OtherHost> {
    const child = spawn("unshare", ["--net", "sh", "-c", "echo here; exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
    t.teardown(async () => {
      child.stdin.end();
      await once(child, "exit");
    });
    await once(child.stdout, "data");
    const host = new OtherHost(child.pid ?? 0);
    run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", String(child.pid));
    t.teardown(() => void run("ip", "link", "del", "cable0"));
    // The kernel looks for twins of an address of IPv6 for a second, and does not use it before.
    host.run("sysctl", "-qw", "net.ipv6.conf.cable1.accept_dad=0");
    run("ip", "link", "set", "cable0", "up");
    host.run("ip", "link", "set", "cable1", "up");
    for (const [node, other] of addresses) {
      const nodad = node.includes(":") ? ["nodad"] : [];
      run("ip", "addr", "add", node, "dev", "cable0", ...nodad);
      host.run("ip", "addr", "add", other, "dev", "cable1", ...nodad);
      const family = node.includes(":") ? "-6" : "-4";
      host.run("ip", family, "route", "add", "default", "via", node.slice(0, node.indexOf("/")));
    }
    return host;
  }

  /** @returns what the program says on standard output */
  run(program: string, ...args: string[]): string {
    return run("nsenter", `--net=/proc/${this.#pid}/ns/net`, program, ...args);
  }

  /** A program that goes on there, until the test ends. */
  async serve(t: Teardown, script: string): Promise<void> {
    const child = spawn("nsenter", [`--net=/proc/${this.#pid}/ns/net`, process.execPath, "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    t.teardown(async () => {
      child.kill();
      await ended;
    });
    await once(child.stdout, "data");
  }
}
