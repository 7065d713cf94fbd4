import test from "ava";
import { toAppArmor } from "../../../../src/cri/convert/apparmor.ts";
import { LinuxContainerSecurityContext, SecurityProfile_ProfileType } from "../../../../src/generated/cri/runtime/v1/api.ts";

const said = (change: Partial<LinuxContainerSecurityContext>) =>
  toAppArmor({ ...LinuxContainerSecurityContext.decode(new Uint8Array()), ...change });
const profile = (profileType: SecurityProfile_ProfileType, localhostRef = "") => ({ apparmor: { profileType, localhostRef } });

test("who says nothing gets the default profile, as who asks for it", (t) => {
  t.deepEqual(toAppArmor(undefined), { kind: "runtime-default", asked: false });
  t.deepEqual(said({}), { kind: "runtime-default", asked: false });
  t.deepEqual(said({ apparmorProfile: "runtime/default" }), { kind: "runtime-default", asked: true });
  t.deepEqual(said(profile(SecurityProfile_ProfileType.RuntimeDefault)), { kind: "runtime-default", asked: true });
});

test("the field counts before the deprecated text", (t) => {
  const both = { ...profile(SecurityProfile_ProfileType.Localhost, "mine"), apparmorProfile: "unconfined" };
  t.deepEqual(said(both), { kind: "localhost", profile: "mine" });
  t.deepEqual(said({ ...profile(SecurityProfile_ProfileType.Unconfined), apparmorProfile: "localhost/mine" }), { kind: "unconfined" });
});

test("a profile is named with and without the prefix of the deprecated text", (t) => {
  const mine = { kind: "localhost", profile: "mine" };
  t.deepEqual(said({ apparmorProfile: "localhost/mine" }), mine);
  t.deepEqual(said(profile(SecurityProfile_ProfileType.Localhost, "localhost/mine")), mine);
  t.deepEqual(said(profile(SecurityProfile_ProfileType.Localhost, "mine")), mine);
});

test("what names no profile is refused", (t) => {
  const refused = { instanceOf: Error, message: /^read container config: / };
  t.throws(() => said({ apparmorProfile: "mine" }), refused);
  t.throws(() => said({ apparmorProfile: "localhost/" }), refused);
  t.throws(() => said(profile(SecurityProfile_ProfileType.Localhost, "two\nlines")), refused);
  t.throws(() => said(profile(9 as SecurityProfile_ProfileType)), refused);
});
