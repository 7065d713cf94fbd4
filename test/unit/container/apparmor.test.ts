import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { kernelAppArmor } from "../../../src/container/apparmor.ts";

/** Files as a kernel has them. */
function kernel(t: ExecutionContext, enabled: string): { readonly enabled: string; readonly profiles: string } {
  const folder = mkdtempSync(join(tmpdir(), "berth-apparmor-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const files = { enabled: join(folder, "enabled"), profiles: join(folder, "profiles") };
  writeFileSync(files.enabled, enabled);
  writeFileSync(files.profiles, "one (enforce)\nwith a blank (complain)\n");
  return files;
}

test("whether the kernel has AppArmor is read once, which profiles it has each time", async (t) => {
  const files = kernel(t, "Y\n");
  const host = kernelAppArmor("/sbin/apparmor_parser", files);
  t.is(await host.problem(), undefined);
  rmSync(files.enabled);
  t.is(await host.problem(), undefined);
  t.true(await host.isLoaded("with a blank"));
  t.false(await host.isLoaded("two"));
  writeFileSync(files.profiles, "two (enforce)\n");
  t.true(await host.isLoaded("two"));
});

test("a kernel without it has no profiles to look at", async (t) => {
  const files = kernel(t, "N\n");
  rmSync(files.profiles);
  t.is(await kernelAppArmor(undefined, files).problem(), "this kernel has no AppArmor");
  rmSync(files.enabled);
  t.is(await kernelAppArmor(undefined, files).problem(), "this kernel has no AppArmor");
});

test("what is missing for the default profile is told", async (t) => {
  const files = kernel(t, "Y\n");
  t.is(await kernelAppArmor(undefined, files).defaultProblem(), "apparmor_parser is not installed");
  rmSync(files.profiles);
  t.regex(String(await kernelAppArmor("/sbin/apparmor_parser", files).defaultProblem()), /^profiles of AppArmor can't be read: /);
});
