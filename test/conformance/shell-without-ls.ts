// critest masks /bin/ls and expects `sh -c ls` to be refused. The shell of Debian's busybox prefers its own programs, and would list
// all the same.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// In the table of its programs, which has to stay sorted: lo…, lp…, ls, ls….
const NAME_OF_LS = /(?<=\0lo[a-z]+\0(?:lp[a-z]+\0)*)ls(?=\0ls[a-z]+\0)/g;

/** @returns a busybox whose shell finds `ls` by the path only @throws Error when this busybox is of another kind */
export function shellWithoutLs(busybox: Buffer): Buffer {
  const text = busybox.toString("latin1");
  const found = [...text.matchAll(NAME_OF_LS)];
  if (found.length !== 1) throw new Error(`busybox has ${found.length} tables of programs, and one was expected`);
  const changed = Buffer.from(text.replace(NAME_OF_LS, "lr"), "latin1");
  check(changed);
  return changed;
}

function check(shell: Buffer): void {
  const folder = mkdtempSync(join(tmpdir(), "berth-shell-"));
  try {
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/ls"), "");
    const program = join(folder, "sh");
    writeFileSync(program, shell);
    chmodSync(program, 0o755);
    const output = execFileSync(program, ["-c", "ls 2>&1; id -u"], { env: { PATH: join(folder, "bin") }, encoding: "utf8" });
    if (!/ls: Permission denied\n\d+\n/.test(output)) throw new Error(`the changed shell does not do as expected: ${output}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
