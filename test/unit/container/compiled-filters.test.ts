import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { CompiledFilters } from "../../../src/container/compiled-filters.ts";
import type { OciSeccomp, OciSpec } from "../../../src/container/spec/oci.ts";

const CRUN = "/usr/bin/crun";
const FILTER = Buffer.from("06000000000000000600000000000000", "hex");
const TEN_MINUTES = 600_000_000_000n;

const profile = (defaultErrnoRet = 1): OciSeccomp => ({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet, syscalls: [] });
const specOf = (seccomp: OciSeccomp): OciSpec => ({ linux: { seccomp } }) as OciSpec;

async function folderWith(t: ExecutionContext, filter?: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "berth-filter-"));
  t.teardown(() => rm(folder, { recursive: true }));
  if (filter !== undefined) await writeFile(join(folder, "seccomp.bpf"), filter);
  return folder;
}

test("a filter that was made once is in the next spec of the same profile and runtime, and of no other", async (t) => {
  const filters = new CompiledFilters({ nowNanos: () => 0n });
  t.false(filters.addTo(specOf(profile()), CRUN));
  await filters.keep(profile(), CRUN, await folderWith(t, FILTER));
  const spec = specOf(profile());
  t.true(filters.addTo(spec, CRUN));
  t.deepEqual(spec.annotations, { "run.oci.seccomp_bpf_data": FILTER.toString("base64") });
  for (const [other, runtime] of [
    [profile(2), CRUN],
    [profile(), "/usr/local/bin/crun"],
  ] as const) {
    const spec = specOf(other);
    t.false(filters.addTo(spec, runtime));
    t.is(spec.annotations, undefined);
  }
});

test("after ten minutes, and after a start with it that failed, it is made anew", async (t) => {
  let nowNanos = 0n;
  const filters = new CompiledFilters({ nowNanos: () => nowNanos });
  await filters.keep(profile(), CRUN, await folderWith(t, FILTER));
  nowNanos = TEN_MINUTES;
  t.true(filters.addTo(specOf(profile()), CRUN));
  nowNanos = TEN_MINUTES + 1n;
  t.false(filters.addTo(specOf(profile()), CRUN));
  await filters.keep(profile(), CRUN, await folderWith(t, FILTER));
  t.true(filters.addTo(specOf(profile()), CRUN));
  filters.forget(profile(), CRUN);
  t.false(filters.addTo(specOf(profile()), CRUN));
});

test("a runtime that leaves no filter, and a file that is none, give nothing", async (t) => {
  const filters = new CompiledFilters({ nowNanos: () => 0n });
  for (const content of [undefined, Buffer.alloc(0), Buffer.alloc(7), Buffer.alloc(4097 * 8)]) {
    await filters.keep(profile(), CRUN, await folderWith(t, content));
    t.false(filters.addTo(specOf(profile()), CRUN), String(content?.length));
  }
  await filters.keep(undefined, CRUN, await folderWith(t, FILTER));
  t.false(filters.addTo({ linux: {} } as OciSpec, CRUN));
});

test("the last sixteen are kept", async (t) => {
  const filters = new CompiledFilters({ nowNanos: () => 0n });
  const folder = await folderWith(t, FILTER);
  for (let error = 1; error <= 17; error++) await filters.keep(profile(error), CRUN, folder);
  t.deepEqual(
    [1, 2, 17].map((error) => filters.addTo(specOf(profile(error)), CRUN)),
    [false, true, true],
  );
});
