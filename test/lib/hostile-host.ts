// Runs containers in hostile roots, and says what of it harmed the node, or is not confined.
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, readFileSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { busyboxImage } from "./busybox-image.ts";
import { hashOf, makeCanary } from "./canary.ts";
import { hasBecome, whatIsNotConfined } from "./confinement.ts";
import type { Message } from "./cri.ts";
import { type HostileRoot, hostileLayer, ORDINARY_ROOT } from "./hostile-root.ts";
import type { TestNode } from "./node.ts";
import { OCI_MANIFEST, onTopOf, type TestImage } from "./oci-image.ts";
import { type Container, Pod } from "./pods.ts";
import type { RUNTIMES } from "./runtimes.ts";

export interface Trial {
  readonly root: HostileRoot;
  readonly runtime: (typeof RUNTIMES)[number];
  readonly tty?: boolean;
  /** in a user namespace */
  readonly ownIds?: boolean;
}

export interface Outcome {
  /** "" when it ran */
  readonly refusal: string;
  readonly problems: readonly string[];
}

const REPOSITORY = "test/hostile";
const CONFIG = { Cmd: ["/bin/sh"], Env: ["PATH=/bin"], Volumes: { "/declared": {} } };
const mapping = [{ host_id: 200_000, container_id: 0, length: 65_536 }];
const MAPPED = { uidMappings: mapping, gidMappings: mapping };
const OWN_IDS = { namespace_options: { userns_options: { mode: "POD", uids: mapping, gids: mapping } } };

const MASKED = ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list", "/sys/firmware", "/masked", "/masked-file"];
const READ_ONLY = ["/proc/sys", "/proc/irq", "/readonly"];
// What a runtime that is led out would make or overwrite: programs that root runs, files that everybody reads, switches of the kernel.
const NODE_FILES = [
  ...["/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"],
  ...["/proc/sys/kernel/core_pattern", "/usr/bin/crun", "/usr/sbin/runc", "/work", "/declared", "/mnt/volume", "/mnt/file"],
];
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd", "core", "injected"];
// What is led to a pipe waits for ever; what is only slow does not.
const DEADLINE_MS = 60_000;

export class HostileHost {
  readonly node: TestNode;
  readonly #canary: string;
  readonly #volume: string;
  readonly #ordinary: TestImage;
  readonly #pods = new Map<string, Pod>();
  #images = 0;

  private constructor(node: TestNode, ordinary: TestImage) {
    this.node = node;
    this.#canary = join(node.folder, "canary");
    this.#volume = join(node.folder, "volume");
    this.#ordinary = ordinary;
  }

  /** A node with an image. */
  static async on(node: TestNode): Promise<HostileHost> {
    // As /run/berth is: the way to its root is open to a pod's user.
    chmodSync(node.folder, 0o711);
    const host = new HostileHost(node, onTopOf(await busyboxImage(), ORDINARY_ROOT, CONFIG));
    await makeCanary(host.#canary);
    await mkdir(host.#volume);
    await writeFile(join(host.#volume, "file"), "the volume's");
    for (const blob of host.#ordinary.layers) await node.registry.pushBlob(REPOSITORY, blob);
    return host;
  }

  /** Pulls an image with that root, starts a container of it, looks at it and at the node, and takes both away. */
  async run(trial: Trial): Promise<Outcome> {
    const { cri, state } = this.node;
    const image = await this.#pull(trial.root);
    const pod = await this.#pod(trial);
    const before = await this.#nodeState();
    const problems: string[] = [];
    let refusal = "";
    let container: Container | undefined;
    try {
      container = await this.#create(pod, image, trial);
      await cri.call("StartContainer", { container_id: container.id }, DEADLINE_MS);
      const pid = await container.pid();
      await this.node.eventually("the program runs", async () => hasBecome(pid, "/bin/busybox"));
      problems.push(
        ...whatIsNotConfined(pid, { nodesFolder: this.node.folder, volume: this.#volume, masked: MASKED, readonly: READ_ONLY }),
      );
    } catch (failure) {
      refusal = failure instanceof Error ? failure.message : String(failure);
      // A deadline that has passed, or a loss of contact, is no refusal.
      if (!/^\d+ (INVALID_ARGUMENT|INTERNAL|NOT_FOUND): (create|start) container /.test(refusal)) problems.push(refusal);
    }
    await container?.remove();
    const after = await this.#nodeState();
    problems.push(...Object.keys(before).flatMap((name) => (before[name] === after[name] ? [] : [`${name} of the node has changed`])));
    const left = await readdir(join(state, "pods", pod.id, "containers"));
    problems.push(...left.map((name) => `${name} was left in the pod's folder`));
    await cri.call("RemoveImage", { image: { image } });
    return { refusal, problems };
  }

  async #pull(root: HostileRoot): Promise<string> {
    const { registry } = this.node;
    const hostile = onTopOf(this.#ordinary, hostileLayer(root, this.#canary), CONFIG);
    const tag = String(this.#images++);
    for (const blob of [hostile.config, ...hostile.layers.slice(-1)]) await registry.pushBlob(REPOSITORY, blob);
    await registry.putManifest(REPOSITORY, tag, hostile.manifest.bytes, OCI_MANIFEST);
    const image = `${registry.address}/${REPOSITORY}:${tag}`;
    await this.node.cri.call("PullImage", { image: { image } });
    return image;
  }

  /** One for each kind, for all of its trials. */
  async #pod({ runtime, ownIds = false }: Trial): Promise<Pod> {
    const kind = `${runtime} ${ownIds}`;
    const pod = this.#pods.get(kind) ?? (await Pod.run(this.node, ownIds ? { linux: { security_context: OWN_IDS } } : {}, runtime));
    this.#pods.set(kind, pod);
    return pod;
  }

  /** With something at every path that a hostile root is about. */
  async #create(pod: Pod, image: string, { tty = false, ownIds = false }: Trial): Promise<Container> {
    const mount = (container_path: string, host_path: string): Message => ({ container_path, host_path, ...(ownIds ? MAPPED : {}) });
    return await pod.create("hostile", ["/bin/sleep", "1000"], {
      image: { image },
      working_dir: "/work",
      tty,
      mounts: [mount("/mnt/volume", this.#volume), mount("/mnt/file", join(this.#volume, "file")), mount("/run/a/b", this.#volume)],
      // runc can't give a device another name in a user namespace.
      devices: ownIds ? [] : [{ host_path: "/dev/zero", container_path: "/dev/injected", permissions: "rwm" }],
      linux: { security_context: { ...(ownIds ? OWN_IDS : {}), masked_paths: MASKED, readonly_paths: READ_ONLY } },
    });
  }

  async #nodeState(): Promise<Record<string, string>> {
    return {
      canary: await hashOf(this.#canary),
      volume: await hashOf(this.#volume),
      ...nodeFiles(),
    };
  }
}

/** The node's mounts, and its files and devices at which who is led out arrives: how each is. */
export const nodeFiles = (): Record<string, string> => ({
  "table of mounts": readFileSync("/proc/self/mountinfo", "utf8"),
  ...Object.fromEntries(NODE_FILES.map((path) => [path, fileState(path)])),
  ...Object.fromEntries(DEVICES.map((name) => [`/dev/${name}`, nameState(`/dev/${name}`)])),
});

function nameState(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return JSON.stringify(stat && [stat.mode, stat.uid, stat.gid, stat.rdev]);
}

function fileState(path: string): string {
  const isFile = lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
  return nameState(path) + (isFile ? createHash("sha256").update(readFileSync(path)).digest("hex") : "");
}
