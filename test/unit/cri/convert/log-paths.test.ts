import test from "ava";
import { toContainerConfig } from "../../../../src/cri/convert/container-config.ts";
import { toSandboxConfig } from "../../../../src/cri/convert/sandbox-config.ts";
import { ContainerConfig, ImageSpec, PodSandboxConfig } from "../../../../src/generated/cri/runtime/v1/api.ts";

const podWith = (logDirectory: string) =>
  toSandboxConfig(
    {
      ...PodSandboxConfig.decode(new Uint8Array()),
      metadata: { name: "shop", namespace: "default", uid: "u", attempt: 0 },
      logDirectory,
    },
    "",
  );

const containerWith = (logPath: string) =>
  toContainerConfig({
    ...ContainerConfig.decode(new Uint8Array()),
    metadata: { name: "one", attempt: 0 },
    image: { ...ImageSpec.decode(new Uint8Array()), image: "busybox" },
    logPath,
  });

// CVE-2025-0750
for (const bad of ["/var/log/../../etc", "/..", "/var/log/..", "/var/log/a\nb", "/var/log/a\0b", "var/log"]) {
  test(`a pod whose logs would be in ${JSON.stringify(bad)} is refused`, (t) => {
    t.throws(() => podWith(bad), { message: /^read pod sandbox config: log_directory / });
  });
}

for (const bad of ["..", "../x.log", "a/../../x.log", "a/..", "/etc/x.log", "a\nb.log", "a\0b.log"]) {
  test(`a container whose log would be at ${JSON.stringify(bad)} is refused`, (t) => {
    t.throws(() => containerWith(bad), { message: /^read container config: log_path .* leaves the log directory$/ });
  });
}

test("names with dots in them are names", (t) => {
  t.is(podWith("/var/log/..a/b..").logDirectory, "/var/log/..a/b..");
  t.is(containerWith("one/..0.log").logPath, "one/..0.log");
});
