import test from "ava";
import { AgentError } from "../../../src/base/errors.ts";
import { MountSources } from "../../../src/container/mount-sources.ts";
import { Propagation } from "../../../src/generated/berth/native/helper.ts";

const MOUNT = { hostPath: "/srv/data", containerPath: "/data" };

test("what is not there is an invalid argument that names both paths", async (t) => {
  const sources = new MountSources({ checkPath: () => Promise.reject(new AgentError("not-found", "look at /srv/data: No such file")) });
  t.like(await t.throwsAsync(sources.check(MOUNT)), {
    kind: "invalid-argument",
    message: "mount /srv/data at /data: no such file or folder",
  });
});

test("a mount that passes nothing on is a failed precondition, for who wants it to", async (t) => {
  const asked: unknown[] = [];
  const refuse = (request: unknown): Promise<never> => {
    asked.push(request);
    return Promise.reject(new AgentError("failed-precondition", "look at /srv/data: it is on the mount /srv"));
  };
  const sources = new MountSources({ checkPath: refuse });
  t.like(await t.throwsAsync(sources.check({ ...MOUNT, propagation: "bidirectional" })), {
    kind: "failed-precondition",
    message: "mount /srv/data at /data: look at /srv/data: it is on the mount /srv",
  });
  await t.throwsAsync(sources.check({ ...MOUNT, propagation: "host-to-container" }));
  await t.throwsAsync(sources.check(MOUNT));
  t.deepEqual(
    asked,
    [Propagation.PROPAGATION_SHARED, Propagation.PROPAGATION_SHARED_OR_SLAVE, Propagation.PROPAGATION_ANY].map((propagation) => ({
      path: "/srv/data",
      propagation,
    })),
  );
});

test("eight looks may be out beyond their time, then others are refused at once, until one comes back", async (t) => {
  const answers: (() => void)[] = [];
  const sources = new MountSources({ checkPath: () => new Promise<void>((resolve) => answers.push(resolve)) }, 1);
  for (let number = 0; number < 8; number++)
    t.like(await t.throwsAsync(sources.check(MOUNT)), {
      kind: "deadline-exceeded",
      message: "mount /srv/data at /data: its file system has not answered for 1 ms",
    });
  t.like(await t.throwsAsync(sources.check(MOUNT)), {
    kind: "unavailable",
    message: "mount /srv/data at /data: 8 other mounts are on file systems that do not answer",
  });
  t.is(answers.length, 8);
  answers[0]?.();
  await new Promise((resolve) => setImmediate(resolve));
  t.like(await t.throwsAsync(sources.check(MOUNT)), { kind: "deadline-exceeded" });
});
