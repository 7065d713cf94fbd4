// The disk by which critest comes into the machine, and its reports come out of it.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const REPORTS = "conformance-vm";
const BYTES = 512 * 1024 ** 2;

/** @param critest its path; a ginkgo beside it comes along @param settings of test/conformance/run.ts */
export function makeConformanceDisk(disk: string, critest: string, settings: Readonly<Record<string, string>>): void {
  const work = `${disk}.partial`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, REPORTS), { recursive: true });
  copyFileSync(critest, join(work, "critest"));
  const ginkgo = join(dirname(critest), "ginkgo");
  if (existsSync(ginkgo)) copyFileSync(ginkgo, join(work, "ginkgo"));
  const quoted = Object.entries(settings).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  writeFileSync(join(work, "settings.sh"), quoted.join(""));
  rmSync(disk, { force: true });
  writeFileSync(disk, "");
  truncateSync(disk, BYTES);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", "-O", "^has_journal", "-d", work, disk]);
  rmSync(work, { recursive: true });
}

/** Puts them into a folder "conformance-vm" of this one. */
export function takeReports(disk: string, folder: string): void {
  rmSync(join(folder, REPORTS), { recursive: true, force: true });
  execFileSync("debugfs", ["-R", `rdump ${REPORTS} ${folder}`, disk], { stdio: "ignore" });
}
