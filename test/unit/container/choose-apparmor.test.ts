import test from "ava";
import type { AppArmor } from "../../../src/container/apparmor.ts";
import { chooseAppArmor } from "../../../src/container/choose-apparmor.ts";
import type { AppArmorChoice } from "../../../src/container/records.ts";
import { security } from "../../lib/container-security.ts";

/** A host with the profile "loaded". @param problem why it can set none */
const host = (problem?: string, defaultProblem = problem): AppArmor => ({
  problem: async () => problem,
  defaultProblem: async () => defaultProblem,
  isLoaded: async (profile) => profile === "loaded",
  ensureDefault: async () => "berth-default",
});

const NONE = "this kernel has no AppArmor";
const choose = (appArmor: AppArmorChoice, where = host(), privileged = false) => chooseAppArmor(security({ appArmor, privileged }), where);
const unconfined = { profile: undefined, warnings: [] };

test("the default profile is set whether it was asked for or not", async (t) => {
  for (const asked of [true, false])
    t.deepEqual(await choose({ kind: "runtime-default", asked }), { profile: "berth-default", warnings: [] });
});

test("where there is no AppArmor, the default one is missed only by who has asked for it", async (t) => {
  t.deepEqual(await choose({ kind: "runtime-default", asked: false }, host(NONE)), unconfined);
  const warnings = [`apparmor: no profile is set: ${NONE}`];
  t.deepEqual(await choose({ kind: "runtime-default", asked: true }, host(NONE)), { profile: undefined, warnings });
});

test("a profile of the node is set when it is loaded, also for a privileged container, and else refused", async (t) => {
  const loaded = { kind: "localhost", profile: "loaded" } as const;
  t.is((await choose(loaded)).profile, "loaded");
  t.is((await choose(loaded, host(), true)).profile, "loaded");
  t.is((await choose(loaded, host(undefined, "no parser"))).profile, "loaded");
  const refused = { kind: "localhost", profile: "other" } as const;
  await t.throwsAsync(choose(refused), { message: "find AppArmor profile other: it is not loaded on this node" });
  await t.throwsAsync(choose(refused, host(NONE)), { message: `find AppArmor profile other: ${NONE}` });
});

test("an unconfined container, a privileged one, and one of an old record run under none", async (t) => {
  t.deepEqual(await choose({ kind: "unconfined" }), unconfined);
  t.deepEqual(await choose({ kind: "runtime-default", asked: true }, host(), true), unconfined);
  t.deepEqual(await chooseAppArmor(security(), host()), unconfined);
});
