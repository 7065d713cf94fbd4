import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { readSettings, settingsToMake, settingsToRestore } from "../../../src/network/kernel-settings.ts";

async function procSys(t: ExecutionContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "berth-proc-"));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), `${text}\n`);
  }
  return folder;
}

const NODE = {
  "net/ipv4/ip_forward": "0",
  "net/ipv6/conf/all/forwarding": "0",
  "net/ipv6/conf/all/accept_ra": "1",
  "net/ipv6/conf/default/forwarding": "0",
  "net/ipv6/conf/default/accept_ra": "1",
  "net/ipv6/conf/lo/forwarding": "0",
  "net/ipv6/conf/lo/accept_ra": "1",
  "net/ipv6/conf/eth0/forwarding": "0",
  "net/ipv6/conf/eth0/accept_ra": "1",
  "net/ipv6/conf/eth1/forwarding": "1",
  "net/ipv6/conf/eth1/accept_ra": "1",
  "net/ipv6/conf/eth2/forwarding": "0",
  "net/ipv6/conf/eth2/accept_ra": "0",
  "net/ipv6/conf/berth0/forwarding": "0",
  "net/ipv6/conf/berth0/accept_ra": "1",
};

test("an interface that takes router advertisements takes them after the node has become a router, and is set back", async (t) => {
  const before = await readSettings([4, 6], new Set(["berth0"]), await procSys(t, NODE));
  t.deepEqual(before, {
    "net/ipv4/ip_forward": "0",
    "net/ipv6/conf/all/forwarding": "0",
    "net/ipv6/conf/default/accept_ra": "1",
    "net/ipv6/conf/eth0/accept_ra": "1",
    "net/ipv6/conf/eth1/forwarding": "1",
  });
  const made = settingsToMake(before);
  t.deepEqual(
    made.map(({ path, value }) => `${path} ${value}`).slice(-2),
    ["net/ipv4/ip_forward 1", "net/ipv6/conf/all/forwarding 1"],
    "last, or the routes of the advertisements go",
  );
  t.deepEqual(
    made.slice(0, -2).map(({ path, value, insteadOf }) => [path, value, insteadOf]),
    [
      ["net/ipv6/conf/default/accept_ra", "2", "1"],
      ["net/ipv6/conf/eth0/accept_ra", "2", "1"],
    ],
  );
  t.deepEqual(
    settingsToRestore(before).map(({ path, value, insteadOf }) => [path, value, insteadOf]),
    [
      ["net/ipv4/ip_forward", "0", ""],
      ["net/ipv6/conf/all/forwarding", "0", ""],
      ["net/ipv6/conf/eth1/forwarding", "1", ""],
      ["net/ipv6/conf/default/accept_ra", "1", "2"],
      ["net/ipv6/conf/eth0/accept_ra", "1", "2"],
    ],
  );
});

test("a node that forwards IPv6 already is left as it is", async (t) => {
  const folder = await procSys(t, { ...NODE, "net/ipv6/conf/all/forwarding": "1" });
  const before = await readSettings([4, 6], new Set(), folder);
  t.deepEqual(before, { "net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "1" });
});

test("without pods of IPv6 nothing of it is touched", async (t) => {
  t.deepEqual(await readSettings([4], new Set(), await procSys(t, NODE)), { "net/ipv4/ip_forward": "0" });
});
