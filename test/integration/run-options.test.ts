// What the options of `berth run` come to in a real container.
import test from "ava";
import { berthCli } from "../lib/berth-cli.ts";
import { TestNode } from "../lib/node.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth, succeeds } = berthCli(node);

const LOOK = `hostname; grep -c 10.9.9.9 /etc/resolv.conf; cat /proc/sys/net/core/somaxconn; touch /x 2>&1
grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status; echo $A$B`;

test("names, sysctls and confinement are as they were asked for", async (t) => {
  const confined = ["--read-only", "--cap-drop", "ALL", "--cap-add", "net_raw", "--no-new-privileges"];
  const named = ["--hostname", "front", "--dns", "10.9.9.9", "--sysctl", "net.core.somaxconn=77", "-e", "A=1", "-e", "B=2"];
  const output = await succeeds(
    "run",
    "--rm",
    "--log-root",
    node().logs,
    ...confined,
    ...named,
    "--entrypoint",
    "sh",
    node().image,
    "-c",
    LOOK,
  );
  t.deepEqual(output.trim().split("\n"), [
    "front",
    "1",
    "77",
    "touch: /x: Read-only file system",
    "CapEff:\t0000000000002000",
    "CapBnd:\t0000000000002000",
    "NoNewPrivs:\t1",
    "Seccomp:\t2",
    "12",
  ]);
});

test("a published port leads to the pod, and lists tell it by its label, state and id", async (t) => {
  const args = ["-d", "--log-root", node().logs, "--pod", "ports", "--name", "web", "-l", "tier=front", "-p", "127.0.0.1:18080:8080"];
  const [podId = "", containerId = ""] = (await succeeds("run", ...args, node().image, "berth-demo", "serve")).trim().split(" ");
  t.regex(await (await fetch("http://127.0.0.1:18080/")).text(), /^hello from ports/);
  t.is(await succeeds("pods", "-q", "-l", "tier=front", "--state", "ready"), `${podId}\n`);
  t.is(await succeeds("ps", "-q", "-l", "tier"), `${containerId}\n`);
  t.is(await succeeds("ps", "-q", "-l", "tier=back"), "");
  t.is(await succeeds("ps", "-q", "--state", "exited", "--pod", "ports"), "");
  t.regex(await succeeds("ps", "-o", "yaml"), new RegExp(`^- id: "?${containerId}"?\n  name: web\n  pod: ports\n`));
  t.like(await berth(["logs", "wbe"]), {
    code: 1,
    stderr: 'berth: find container "wbe": there is none of this name or id; is it web?\n',
  });
  await succeeds("rm", "-f", "ports");
});

test("a program that is not there, or can't be run, has a code of its own", async (t) => {
  const run = async (...words: string[]) => (await berth(["run", "--rm", "--log-root", node().logs, node().image, ...words])).code;
  t.is(await run("no-such-program"), 127);
  t.is(await run("/etc/passwd"), 126);
  t.is(await run("sh", "-c", "exit 125"), 125);
  t.is((await berth(["run", "--rm", "--cap-add", "no_such_thing", node().image])).code, 125);
});
