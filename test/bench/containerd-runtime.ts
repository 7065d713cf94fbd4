// containerd as the bench runs it: Debian's, with everything that it would leave on a host in a mount namespace of its own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cri } from "../lib/cri.ts";
import { temporaryFolder } from "../lib/image-service.ts";
import type { Teardown } from "../lib/teardown.ts";
import type { Cgroup } from "./cgroup.ts";
import { clear, type Runtime } from "./peer.ts";

const PLUGINS = "/usr/lib/cni";
const CNI_STATE = "/var/lib/cni";
const PATIENCE_MS = 20_000;
const LOOK_AGAIN_MS = 50;

// Its shims' sockets and network namespaces are in /run, its CNI results in /var/lib/cni, wherever its own folders are. crun up to 1.8
// refuses a host with both versions of cgroups where the second has a controller, so that one is hidden.
const HIDE = `mount -t tmpfs none /run && mount -t tmpfs none ${CNI_STATE} || exit 1
[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified || exit 1
exec "$@"`;

/** @returns why it can't be run on this machine */
export function lackOfContainerd(): string | undefined {
  const programs = ["containerd", "containerd-shim-runc-v2", "iptables"].filter((name) => pathOf(name) === undefined);
  const plugins = ["bridge", "host-local", "portmap", "loopback"].map((name) => join(PLUGINS, name)).filter((path) => !existsSync(path));
  const missing = [...programs, ...plugins];
  return missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
}

/** @param pauseImage of its pods' first container */
export async function startContainerd(t: Teardown, cgroup: Cgroup, client: Cgroup, pauseImage: string): Promise<Runtime> {
  const folder = await temporaryFolder(t);
  const socket = join(folder, "containerd.sock");
  if (!existsSync(CNI_STATE)) {
    mkdirSync(CNI_STATE);
    t.teardown(() => rmdirSync(CNI_STATE));
  }
  mkdirSync(join(folder, "cni"));
  writeFileSync(join(folder, "cni/10-bench.conflist"), JSON.stringify(network(folder)));
  writeFileSync(join(folder, "config.toml"), configuration(folder, socket, pauseImage));
  cgroup.below("daemon").enter();
  const log = openSync(join(folder, "log"), "w");
  let child: ChildProcess;
  try {
    const command = ["--mount", "--propagation", "private", "sh", "-c", HIDE, "sh", "containerd", "--config", join(folder, "config.toml")];
    // In a session of its own, so that Ctrl-C leaves it there to take its pods away.
    child = spawn("unshare", command, { stdio: ["ignore", log, log], detached: true });
  } finally {
    client.enter();
    closeSync(log);
  }
  t.teardown(() => end(child));
  for (const deadline = performance.now() + PATIENCE_MS; !existsSync(socket); ) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`containerd did not start: ${readFileSync(join(folder, "log"), "utf8").slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  const cri = new Cri(socket);
  const runtime: Runtime = { name: "containerd", cri, cgroup, daemonPid: child.pid ?? 0 };
  t.teardown(async () => {
    await clear(runtime).finally(() => cri.close());
  });
  return runtime;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

function pathOf(program: string): string | undefined {
  try {
    return execFileSync("sh", ["-c", 'command -v "$1"', "sh", program], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** What Berth does by itself: a bridge, an address, masquerading, host ports. */
function network(folder: string): object {
  const ranges = [[{ subnet: "10.77.0.0/16" }]];
  const ipam = { type: "host-local", dataDir: join(folder, "addresses"), ranges, routes: [{ dst: "0.0.0.0/0" }] };
  const bridge = { type: "bridge", bridge: "bench0", isGateway: true, ipMasq: true, hairpinMode: true, ipam };
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  return { cniVersion: "1.0.0", name: "bench", plugins: [bridge, portmap] };
}

function configuration(folder: string, socket: string, pauseImage: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const runtimes = ["runc", "crun"].flatMap((name) => {
    const program = pathOf(name);
    if (program === undefined) return [];
    const table = `${cri}.containerd.runtimes.${name}`;
    return [`[${table}]\nruntime_type = "io.containerd.runc.v2"\n[${table}.options]\nBinaryName = "${program}"`];
  });
  return [
    `version = 2\nroot = "${folder}/root"\nstate = "${folder}/state"`,
    `disabled_plugins = ["io.containerd.internal.v1.opt"]\n[grpc]\naddress = "${socket}"\n[debug]\nlevel = "warn"`,
    `[${cri}]\nsandbox_image = "${pauseImage}"\nrestrict_oom_score_adj = true`,
    `stream_server_address = "127.0.0.1"\nstream_server_port = "0"`,
    `[${cri}.cni]\nbin_dir = "${PLUGINS}"\nconf_dir = "${folder}/cni"`,
    `[${cri}.containerd]\nsnapshotter = "overlayfs"\ndefault_runtime_name = "runc"`,
    ...runtimes,
  ].join("\n");
}
