import test from "ava";
import { parseEnvFile } from "../../../src/cli/env-file.ts";
import { nearest } from "../../../src/cli/nearest.ts";
import { parseCapability, parseSelector } from "../../../src/cli/run-options.ts";
import { parsePort } from "../../../src/cli/run-ports.ts";
import { parseDevice, parseMount, parseVolume } from "../../../src/cli/run-volumes.ts";
import { parseAppArmor, parseSeccomp, parseSecurityOption } from "../../../src/cli/security-options.ts";

const volume = (options: object) => ({ hostPath: "/a", containerPath: "/b", readonly: false, propagation: "private", ...options });
const port = (options: object) => ({ hostIp: "", hostPort: 8080, containerPort: 80, protocol: "tcp", ...options });

for (const [parse, text, expected] of [
  [parseVolume, "/a:/b", volume({})],
  [parseVolume, "/a:/b:ro", volume({ readonly: true })],
  [parseVolume, "/a:/b:ro,rslave", volume({ readonly: true, propagation: "rslave" })],
  [parseVolume, "/a:/b:rshared", volume({ propagation: "rshared" })],
  [parseMount, "type=bind,source=/a,target=/b", volume({})],
  [parseMount, "src=/a,dst=/b,readonly", volume({ readonly: true })],
  [parseMount, "source=/a,destination=/b,ro=true,bind-propagation=rslave", volume({ readonly: true, propagation: "rslave" })],
  [parseDevice, "/dev/fuse", { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "rwm" }],
  [parseDevice, "/dev/fuse:r", { hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "r" }],
  [parseDevice, "/dev/sda:/dev/x:rw", { hostPath: "/dev/sda", containerPath: "/dev/x", permissions: "rw" }],
  [parsePort, "8080:80", port({})],
  [parsePort, "127.0.0.1:8080:80", port({ hostIp: "127.0.0.1" })],
  [parsePort, "8080:80/udp", port({ protocol: "udp" })],
  [parseCapability, "cap_net_admin", "NET_ADMIN"],
  [parseCapability, "all", "ALL"],
  [parseSeccomp, "/etc/profile.json", "/etc/profile.json"],
  [parseAppArmor, "my profile", "my profile"],
  [parseSecurityOption, "apparmor=unconfined", { apparmor: "unconfined" }],
  [parseSecurityOption, "apparmor=a=b", { apparmor: "a=b" }],
  [parseSecurityOption, "seccomp=/etc/profile.json", { seccomp: "/etc/profile.json" }],
  [parseSecurityOption, "seccomp=builtin", { seccomp: "default" }],
  [parseSecurityOption, "no-new-privileges", { newPrivileges: false }],
  [parseSecurityOption, "no-new-privileges=true", { newPrivileges: false }],
  [parseSecurityOption, "no-new-privileges=false", { newPrivileges: true }],
  [parseSelector, "tier=front", ["tier", "front"]],
  [parseSelector, "tier", ["tier", ""]],
] as const) {
  test(`${parse.name} takes ${text}`, (t) => t.deepEqual(parse(text), expected));
}

for (const [parse, text] of [
  [parseVolume, "/a"],
  [parseVolume, "a:/b"],
  [parseVolume, "/a:/b:rx"],
  [parseVolume, "/a:/b:ro,rw"],
  [parseMount, "type=volume,source=/a,target=/b"],
  [parseMount, "source=/a"],
  [parseMount, "source=/a,target=/b,tmpfs-size=1"],
  [parseDevice, "dev/fuse"],
  [parseDevice, "/dev/fuse:/dev/fuse:x"],
  [parsePort, "80"],
  [parsePort, "0:80"],
  [parsePort, "8080:65536"],
  [parsePort, "8080:80/http"],
  [parsePort, "1:2:3:4"],
  [parseCapability, "net admin"],
  [parseSeccomp, "profile.json"],
  [parseAppArmor, " "],
  [parseSecurityOption, "apparmor"],
  [parseSecurityOption, "apparmor="],
  [parseSecurityOption, "seccomp=profile.json"],
  [parseSecurityOption, "no-new-privileges=maybe"],
  [parseSecurityOption, "label=disable"],
  [parseSelector, ""],
] as const) {
  test(`${parse.name} refuses ${JSON.stringify(text)}`, (t) => void t.throws(() => parse(text), { name: "UsageError" }));
}

test("a file of variables has one a line, with comments, and names that take our value", (t) => {
  const text = "# comment\nA=1\n\nB=two words = more\r\nHOME\nNOT_SET\nC=\n";
  t.deepEqual(parseEnvFile(text, "env", { HOME: "/root" }), [
    ["A", "1"],
    ["B", "two words = more"],
    ["HOME", "/root"],
    ["C", ""],
  ]);
  t.throws(() => parseEnvFile("A=1\nno name=1\n", "env", {}), { message: /^env: line 2: / });
});

test("the nearest names are those with few letters wrong, and those that begin so", (t) => {
  const names = ["web", "web-2", "worker", "database", "web"];
  t.deepEqual(nearest("wbe", names), ["web"]);
  t.deepEqual(nearest("we", names), ["web", "web-2"]);
  t.deepEqual(nearest("databse", names), ["database"]);
  t.deepEqual(nearest("zzz", names), []);
  t.deepEqual(nearest("", names), []);
});
