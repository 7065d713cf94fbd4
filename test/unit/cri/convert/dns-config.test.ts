import test from "ava";
import { toSandboxConfig } from "../../../../src/cri/convert/sandbox-config.ts";
import { PodSandboxConfig } from "../../../../src/generated/cri/runtime/v1/api.ts";

const config = (servers: string[], searches: string[] = [], options: string[] = []) =>
  toSandboxConfig(
    {
      ...PodSandboxConfig.decode(new Uint8Array()),
      metadata: { name: "shop", namespace: "default", uid: "u", attempt: 0 },
      dnsConfig: { servers, searches, options },
    },
    "",
  );

test("name servers, domains and options are taken as they are", (t) => {
  t.deepEqual(config(["10.0.0.1"], ["a.example"], ["ndots:5"]).dns, {
    servers: ["10.0.0.1"],
    searches: ["a.example"],
    options: ["ndots:5"],
  });
});

for (const bad of ["10.0.0.1\nnameserver 10.0.0.2", "a b", "", "a\0b", "a\rb"]) {
  test(`${JSON.stringify(bad)} would be another line or word, and is refused`, (t) => {
    for (const lists of [[[bad]], [[], [bad]], [[], [], [bad]]] as const) {
      t.throws(() => config(...(lists as unknown as [string[]])), { message: /dns_config has .*, which is no word of resolv.conf/ });
    }
  });
}
