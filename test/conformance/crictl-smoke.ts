// Every command of crictl that talks to the runtime, once or a few times: images, a pod with containers, what is done inside, usage and
// limits, the way down, and both transports of the streams.
import { once } from "node:events";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { Crictl } from "./crictl.ts";
import { BUSYBOX, SMALL, WEB_SERVER } from "./images.ts";

const LOOK_AGAIN_MS = 100;
const LOOKS = 100;
const TRANSPORTS = ["spdy", "websocket"] as const;
const ID = /^[0-9a-f]{64}\s*$/;

/** @param folder for configurations and logs @returns whether all passed */
export async function crictlSmoke(program: string, socket: string, folder: string): Promise<boolean> {
  const crictl = new Crictl(program, socket);
  await node(crictl);
  await images(crictl);
  const events = crictl.start(["events"]);
  let heard = "";
  events.stdout?.on("data", (part: Buffer) => {
    heard += String(part);
  });
  const pod = await podOfContainers(crictl, folder);
  await inside(crictl, pod);
  await streams(crictl, folder, pod);
  await usage(crictl, pod);
  await wayDown(crictl, pod);
  for (const type of ["CREATED", "STARTED", "STOPPED", "DELETED"])
    crictl.count(`events (${type})`, heard.includes(`CONTAINER_${type}_EVENT`), heard);
  events.kill();
  await allAtOnce(crictl, folder);
  console.log(`crictl: ${crictl.passed} passed, ${crictl.failed} failed`);
  return crictl.failed === 0;
}

interface SmokePod {
  readonly id: string;
  /** what crictl takes for the pod */
  readonly file: string;
  readonly log: string;
  readonly main: string;
  readonly web: string;
}

async function node(crictl: Crictl): Promise<void> {
  await crictl.check("version", /RuntimeName: +berth/, ["version"]);
  const conditions = "{{range .status.conditions}}{{.status}} {{end}}";
  await crictl.check("info", /^true true/, ["info", "-o", "go-template", "--template", conditions]);
  await crictl.check("runtime-config", /cgroup driver: +(CGROUPFS|SYSTEMD)/, ["runtime-config"]);
  await crictl.check("update-runtime-config", /^/, ["update-runtime-config", "--pod-cidr", "10.88.0.0/16"]);
  await crictl.check("imagefsinfo", /mountpoint/, ["imagefsinfo"]);
  await crictl.check("metricdescs", /container_cpu_usage_seconds_total/, ["metricdescs"]);
}

async function images(crictl: Crictl): Promise<void> {
  for (const name of [BUSYBOX, WEB_SERVER, SMALL]) await crictl.check(`pull ${name}`, /up to date/, ["pull", name]);
  const [repository = ""] = BUSYBOX.split(":");
  await crictl.refuse("pull (no such tag)", /not.?found/i, ["pull", `${repository}:no-such-tag`]);
  await crictl.check("images", new RegExp(repository), ["images"]);
  await crictl.check("images -o json", /repoTags/, ["images", "-o", "json", BUSYBOX]);
  await crictl.check("images --digests", /[0-9a-f]{12}/, ["images", "--digests", BUSYBOX]);
  const template = ["-o", "go-template", "--template"];
  const digest = await crictl.check("inspecti", /@sha256:/, ["inspecti", ...template, "{{index .status.repoDigests 0}}", BUSYBOX]);
  await crictl.check("pull (by digest)", /^/, ["pull", digest]);
  await crictl.check("inspecti (by digest)", /sha256:/, ["inspecti", ...template, "{{.status.id}}", digest]);
}

async function podOfContainers(crictl: Crictl, folder: string): Promise<SmokePod> {
  const file = await podConfig(folder, "one");
  const id = await crictl.check("runp", ID, ["runp", file]);
  await crictl.check("pods", /smoke-one/, ["pods"]);
  const filters = ["--name", "^smoke-one$", "--state", "ready", "--label", "smoke=one", "--namespace", "smoke"];
  await crictl.check("pods (filters)", only(id), ["pods", "-q", "--no-trunc", ...filters]);
  await crictl.check("inspectp", /SANDBOX_READY/, ["inspectp", id]);
  await crictl.check("inspectp (address)", /^[0-9a-f.:]+$/m, [
    ...["inspectp", "-o", "go-template", "--template", "{{.status.network.ip}}"],
    id,
  ]);
  const script = 'trap "exit 0" TERM; echo to-stdout; echo to-stderr >&2; while :; do sleep 0.1; done';
  const mainFile = await containerConfig(folder, "main", { command: ["sh", "-c", script] });
  const main = await crictl.check("create", ID, ["create", id, mainFile, file]);
  await crictl.check("inspect (created)", /^CONTAINER_CREATED/, stateOf(main));
  await crictl.check("start", only(main), ["start", main]);
  await crictl.check("inspect (running)", /^CONTAINER_RUNNING/, stateOf(main));
  await crictl.check("inspect", /logPath/, ["inspect", main]);
  await crictl.check("ps", /main/, ["ps"]);
  const running = ["--name", "^main$", "--state", "running", "--pod", id, "--label", "name=main"];
  await crictl.check("ps (filters)", only(main), ["ps", "-q", "--no-trunc", ...running]);
  const webFile = await containerConfig(folder, "web", { image: { image: WEB_SERVER } });
  const web = await crictl.check("create --with-pull", ID, ["create", "--with-pull", id, webFile, file]);
  await crictl.check("start (second container)", only(web), ["start", web]);
  return { id, file, log: join(folder, "one/main.log"), main, web };
}

async function inside(crictl: Crictl, { main, log }: SmokePod): Promise<void> {
  await crictl.check("exec -s", /^good morning/, ["exec", "-s", main, "sh", "-c", "echo $GREETING"]);
  await crictl.refuse("exec -s (exit code)", /3/, ["exec", "-s", main, "sh", "-c", "exit 3"]);
  await crictl.refuse("exec -s --timeout", /time?d? ?out|deadline/i, ["exec", "-s", "--timeout", "1", main, "sleep", "20"]);
  await until(async () => (await crictl.run(["logs", main])).output.includes("to-stderr"));
  await crictl.check("logs", /to-stdout/, ["logs", main]);
  await crictl.check("logs --stream", /^to-stderr\s*$/, ["logs", "--stream", "stderr", main]);
  await crictl.check("logs --tail", /^to-std(out|err)\s*$/, ["logs", "--tail", "1", main]);
  await crictl.check("logs -t", /\dT\d/, ["logs", "-t", main]);
  const follow = crictl.start(["logs", "-f", main]);
  const [first] = follow.stdout === null ? [""] : await once(follow.stdout, "data");
  follow.kill();
  crictl.count("logs -f", String(first).includes("to-std"), String(first));
  await rename(log, `${log}.1`);
  await crictl.check("logs -r", /^/, ["logs", "-r", main]);
  crictl.count(
    "logs -r (a new file is there)",
    await stat(log).then(
      () => true,
      () => false,
    ),
    log,
  );
}

async function streams(crictl: Crictl, folder: string, { id, file, main }: SmokePod): Promise<void> {
  for (const transport of TRANSPORTS) {
    const by = ["-r", transport];
    await crictl.check(`exec (${transport})`, /^hello/, ["exec", ...by, main, "echo", "hello"]);
    await crictl.check(`exec -i (${transport})`, /^piped/, ["exec", ...by, "-i", main, "cat"], "piped\n");
    await crictl.inTerminal(`exec -it (${transport})`, /\/dev\//, ["exec", ...by, "-it", main, "tty"]);
    await crictl.refuse(`exec (${transport}, exit code)`, /7/, ["exec", ...by, main, "sh", "-c", "exit 7"]);
    const reader = await containerConfig(folder, `cat-${transport}`, { command: ["cat"], stdin: true, stdin_once: true });
    const { output } = await crictl.run(["create", id, reader, file]);
    await crictl.run(["start", output.trim()]);
    await crictl.check(`attach -i (${transport})`, /attached/, ["attach", ...by, "-i", output.trim()], "attached\n");
    await portForward(crictl, transport, id);
  }
}

async function portForward(crictl: Crictl, transport: string, pod: string): Promise<void> {
  const forward = crictl.start(["port-forward", "-r", transport, pod, ":80"]);
  let said = "";
  for (const stream of [forward.stdout, forward.stderr])
    stream?.on("data", (part: Buffer) => {
      said += String(part);
    });
  let page = "";
  await until(async () => {
    const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    if (port !== undefined) page = await get(Number(port)).catch(String);
    return page.includes("works") || forward.exitCode !== null;
  });
  forward.kill();
  crictl.count(`port-forward (${transport})`, page.includes("works"), `${page} ${said}`);
}

async function usage(crictl: Crictl, { id, main }: SmokePod): Promise<void> {
  await crictl.check("stats", /main/, ["stats"]);
  await crictl.check("stats -o json", /workingSetBytes/, ["stats", "-o", "json", main]);
  await crictl.check("statsp", /smoke-one/, ["statsp"]);
  await crictl.check("statsp -o json", /usageCoreNanoSeconds/, ["statsp", "-o", "json", "--id", id]);
  await crictl.check("metricsp", /container_/, ["metricsp"]);
  await crictl.check("update", only(main), ["update", "--memory", "67108864", "--cpu-share", "512", main]);
  const limit = "cat /sys/fs/cgroup/memory.max 2> /dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes";
  await crictl.check("update (took effect)", /^67108864/, ["exec", "-s", main, "sh", "-c", limit]);
}

async function wayDown(crictl: Crictl, { id, main, web }: SmokePod): Promise<void> {
  await crictl.refuse("rm (of what runs)", /running/i, ["rm", main]);
  await crictl.check("stop", only(main), ["stop", "--timeout", "5", main]);
  const ended = ["inspect", "-o", "go-template", "--template", "{{.status.state}} {{.status.exitCode}}", main];
  await crictl.check("inspect (exited)", /^CONTAINER_EXITED 0/, ended);
  await crictl.check("stop (again)", /^/, ["stop", main]);
  await crictl.check("rm", only(main), ["rm", main]);
  await crictl.check("rm -f", new RegExp(web), ["rm", "-f", web]);
  const { output } = await crictl.run(["ps", "-aq", "--no-trunc"]);
  crictl.count("ps (what was removed is gone)", !output.includes(main) && !output.includes(web), output);
  await crictl.check("stopp", /Stopped/, ["stopp", id]);
  await crictl.check("pods (not ready)", only(id), ["pods", "-q", "--no-trunc", "--state", "notready", "--label", "smoke=one"]);
  await crictl.check("rmp", /Removed/, ["rmp", id]);
  await crictl.check("pods (what was removed is gone)", /^$/, ["pods", "-q", "--label", "smoke=one"]);
}

async function allAtOnce(crictl: Crictl, folder: string): Promise<void> {
  const [pod, main] = [await podConfig(folder, "two"), join(folder, "main.json")];
  await crictl.check("run", /^[0-9a-f]+\s*$/, ["run", "--with-pull", main, pod]);
  const { output } = await crictl.run(["pods", "-q", "--no-trunc", "--label", "smoke=two"]);
  const id = output.trim();
  await crictl.check("run (is running)", /main/, ["ps", "--pod", id]);
  await crictl.check("rmp -f", /Removed/, ["rmp", "-f", id]);
  await crictl.check("rmi", /Deleted/, ["rmi", SMALL]);
  await crictl.refuse("inspecti (what was removed)", /no such image|not.?found/i, ["inspecti", SMALL]);
}

async function podConfig(folder: string, name: string): Promise<string> {
  const logs = join(folder, name);
  await mkdir(logs, { recursive: true });
  const file = join(folder, `pod-${name}.json`);
  await writeFile(
    file,
    JSON.stringify({
      metadata: { name: `smoke-${name}`, namespace: "smoke", uid: `smoke-${name}`, attempt: 0 },
      hostname: name,
      labels: { smoke: name },
      log_directory: logs,
      dns_config: { servers: ["10.10.10.10"], searches: ["example.test"] },
      linux: {},
    }),
  );
  return file;
}

async function containerConfig(folder: string, name: string, more: object): Promise<string> {
  const file = join(folder, `${name}.json`);
  const [metadata, labels, envs] = [{ name, attempt: 0 }, { name }, [{ key: "GREETING", value: "good morning" }]];
  await writeFile(file, JSON.stringify({ metadata, image: { image: BUSYBOX }, labels, envs, log_path: `${name}.log`, linux: {}, ...more }));
  return file;
}

const only = (id: string): RegExp => new RegExp(`^${id}\\s*$`);
const stateOf = (id: string): string[] => ["inspect", "-o", "go-template", "--template", "{{.status.state}}", id];

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < LOOKS && !(await holds()); look++) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
}

async function get(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(2000, () => socket.destroy());
  socket.end("GET / HTTP/1.0\r\n\r\n");
  let page = "";
  for await (const part of socket) page += String(part);
  return page;
}
