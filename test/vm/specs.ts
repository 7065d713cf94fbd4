// Which tests run in the test machine: those of this folder, and of test/integration what this machine's kernel may have otherwise
// than the host's: one hierarchy of cgroups, AppArmor, modules.
const FIRST_BOOT = [
  "test/vm/apparmor.test.ts",
  "test/vm/checkpoint.test.ts",
  "test/vm/direct.test.ts",
  "test/integration/limits.test.ts",
  "test/integration/usage.test.ts",
];

/** After reboot.ts. */
const SECOND_BOOT = ["test/vm/reboot.test.ts"];

/** @param some files that are to be run alone, with commas between them */
export function filesOf(boot: string | undefined, some: string | undefined): readonly string[] {
  if (some !== undefined && some !== "") return some.split(",");
  return boot === "2" ? SECOND_BOOT : FIRST_BOOT;
}
