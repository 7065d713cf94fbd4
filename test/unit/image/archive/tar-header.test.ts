import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { tarEnd, tarHeader, tarPadding } from "../../../../src/image/archive/tar-header.ts";

test("tar reads what is written, also a size past eleven octal digits", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-tar-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const list = async (archive: Buffer): Promise<string> => {
    await writeFile(join(folder, "archive"), archive);
    // It complains of the content that is not there, and has listed the header by then.
    const run = promisify(execFile)("tar", ["-tvf", join(folder, "archive")], { env: { ...process.env, TZ: "UTC" } });
    return (await run.catch((failure: { stdout: string }) => failure)).stdout.trim();
  };
  const small = Buffer.concat([tarHeader("a/b", 3), Buffer.from("abc"), tarPadding(3), tarEnd()]);
  t.is(small.length, 4 * 512);
  t.is(await list(small), "-rw-r--r-- 0/0               3 1970-01-01 00:00 a/b");
  t.regex(await list(tarHeader("large", 2 ** 40)), /0\/0 +1099511627776 /);
  t.regex(await list(tarHeader("edge", 8 ** 11 - 1)), /0\/0 +8589934591 /);
  t.is(tarPadding(512).length, 0);
});

test("a name that has no room is refused", (t) => {
  t.throws(() => tarHeader("x".repeat(101), 1), { instanceOf: RangeError });
});
