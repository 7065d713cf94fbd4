// A container that swaps a folder of a shared volume for a link while others are mounted below it (CVE-2021-30465,
// CVE-2025-31133 and their like): nothing of the node is ever mounted in a container, and nothing of a container on the node.
import { chmodSync, readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { hashOf, makeCanary } from "../lib/canary.ts";
import { programMount } from "../lib/c-program.ts";
import { hasBecome, whatIsNotConfined } from "../lib/confinement.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const ROUNDS = Number(process.env["ROUNDS"] ?? 12);

for (const runtime of RUNTIMES) {
  test(`mounts below a folder that is swapped for a link meanwhile stay in the container (${runtime})`, async (t) => {
    const folder = join(node().folder, `swapped-${runtime}`);
    const [canary, volume, other] = [join(folder, "canary"), join(folder, "volume"), join(folder, "other")];
    for (const each of [join(volume, "place/sub"), other]) await mkdir(each, { recursive: true });
    await makeCanary(canary);
    await writeFile(join(volume, "place/file"), "");
    await writeFile(join(other, "note"), "the other volume's");
    await symlink("/", join(volume, "link"));
    chmodSync(volume, 0o777);
    const state = async () => [await hashOf(canary), await hashOf(other), readFileSync("/proc/self/mountinfo", "utf8")];
    const before = await state();

    const pod = await Pod.run(node(), {}, runtime);
    const swapper = await pod.start("swapper", ["/swapper", "/volume", "place", "link"], {
      mounts: [{ host_path: volume, container_path: "/volume" }, await programMount(t, "swapper.c")],
    });
    await swapper.logged(/swapping/);
    let ran = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const container = await pod.create(`victim-${round}`, ["sleep", "1000"], {
        mounts: [
          { host_path: volume, container_path: "/volume" },
          { host_path: other, container_path: "/volume/place/sub" },
          { host_path: other, container_path: "/volume/place/made" },
          { host_path: join(other, "note"), container_path: "/volume/place/file" },
        ],
        linux: {
          security_context: {
            masked_paths: ["/proc/keys", "/proc/timer_list"],
            readonly_paths: ["/proc/sys", "/proc/irq"],
          },
        },
      });
      if (
        await container.start().then(
          () => true,
          () => false,
        )
      ) {
        ran++;
        const pid = await container.pid();
        await node().eventually("the program runs", async () => hasBecome(pid, "/bin/busybox"));
        const wanted = {
          nodesFolder: folder,
          volume: folder,
          masked: ["/proc/keys", "/proc/timer_list"],
          readonly: ["/proc/sys", "/proc/irq"],
        };
        t.deepEqual(whatIsNotConfined(pid, wanted), [], `round ${round}`);
      }
      await container.remove();
    }
    t.log(`${ran} of ${ROUNDS} ran`);
    t.deepEqual(await state(), before);
    await pod.remove();
  });
}
