// A tree of the host that an image aims at: whatever is tried, its hash is as it was.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, chown, link, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeTar } from "./tar.ts";

const run = promisify(execFile);

/** With a file, a folder, and of each kind of thing that is known of files something that is not the default. */
export async function makeCanary(folder: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  await mkdir(at("folder"), { recursive: true });
  await writeFile(at("file"), "as it was");
  await chown(at("file"), 1234, 5678);
  await chmod(at("file"), 0o4750);
  await utimes(at("file"), 1_000_000, 2_000_000);
  await writeFile(at("folder/inner"), "as it was");
  await link(at("file"), at("same"));
  await symlink("file", at("link"));
  const noted = makeTar([{ name: "noted", content: "x", attributes: { "user.note": "as it was" } }]);
  await writeFile(at("noted.tar"), noted);
  await run("tar", ["--xattrs", "-C", folder, "-xf", at("noted.tar")]);
}

/** Of the names, kinds, modes, owners, times, links, attributes and contents of a tree. */
export async function hashOf(folder: string): Promise<string> {
  const fields = ["--format=pax", "--pax-option=delete=atime,delete=ctime", "--xattrs", "--xattrs-include=*", "--sort=name"];
  const { stdout } = await run("tar", [...fields, "-C", folder, "-cf", "-", "."], { encoding: "buffer" });
  return createHash("sha256").update(stdout).digest("hex");
}
