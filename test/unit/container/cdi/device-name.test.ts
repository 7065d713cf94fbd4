import test from "ava";
import { kindOf } from "../../../../src/base/errors.ts";
import { askedDevices } from "../../../../src/container/cdi/device-name.ts";

test("devices of the field and of annotations are asked for once each", (t) => {
  const annotations = { "cdi.k8s.io/b": "v.com/c=2,v.com/c=3", "cdi.k8s.io/a": "v.com/c=1", other: "x" };
  t.deepEqual(askedDevices(["v.com/c=3"], annotations), ["v.com/c=3", "v.com/c=1", "v.com/c=2"]);
});

for (const name of [
  "",
  "gpu",
  "v.com=0",
  "v.com/c",
  "v.com/c=",
  "/c=0",
  "v/c/d=0",
  "1v/c=0",
  "v.com/c=-",
  "v.com/c=a b",
  `v.com/c=${"a".repeat(300)}`,
]) {
  test(`${JSON.stringify(name.slice(0, 20))} is no name of a device, wherever it stands`, (t) => {
    t.is(kindOf(t.throws(() => askedDevices([name], {}), { message: /CDI_devices/ })), "invalid-argument");
    t.throws(() => askedDevices([], { "cdi.k8s.io/a": name }), { message: /annotation cdi\.k8s\.io\/a/ });
  });
}

test("a container can't ask for devices without end", (t) => {
  t.throws(
    () =>
      askedDevices(
        Array.from({ length: 257 }, (_, i) => `v.com/c=${i}`),
        {},
      ),
    { message: /257 CDI devices are over 256/ },
  );
});
