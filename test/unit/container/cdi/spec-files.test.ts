import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { kindOf } from "../../../../src/base/errors.ts";
import { describeDevices, findDeviceEdits } from "../../../../src/container/cdi/find-devices.ts";
import { CdiSpecFiles } from "../../../../src/container/cdi/spec-files.ts";

interface Folders {
  readonly early: string;
  readonly late: string;
  readonly files: CdiSpecFiles;
}

const folders = test.macro(async (t, body: (t: import("ava").ExecutionContext, folders: Folders) => Promise<void>) => {
  const folder = await mkdtemp(join(tmpdir(), "berth-cdi-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const [early, late] = [join(folder, "early"), join(folder, "late")];
  await mkdir(early);
  await mkdir(late);
  await body(t, { early, late, files: new CdiSpecFiles([early, late, join(folder, "not-there")]) });
});

const spec = (value: string, names: readonly string[], ofAll: readonly string[] = []): string =>
  JSON.stringify({
    cdiVersion: "0.6.0",
    kind: "v.com/c",
    containerEdits: { env: ofAll },
    devices: names.map((name) => ({ name, containerEdits: { env: [`${name.toUpperCase()}=${value}`] } })),
  });

const write = (path: string, text: string): Promise<void> => writeFile(path, text, { mode: 0o644 });
const env = async (files: CdiSpecFiles, ...names: string[]): Promise<string[]> =>
  findDeviceEdits(names, await files.read()).flatMap((edits) => edits.env);

test("a later folder's device stands for an earlier one's", folders, async (t, { early, late, files }) => {
  await write(join(early, "a.json"), spec("early", ["x", "y"]));
  await write(join(late, "b.yaml"), spec("late", ["x"]));
  t.deepEqual(await env(files, "v.com/c=x", "v.com/c=y"), ["X=late", "Y=early"]);
});

test("what a file has for all of its devices is made once, before the first", folders, async (t, { early, files }) => {
  await write(join(early, "a.json"), spec("1", ["x", "y"], ["ALL=1"]));
  t.deepEqual(await env(files, "v.com/c=y", "v.com/c=x"), ["ALL=1", "Y=1", "X=1"]);
});

test(
  "a device that two files of one folder have is refused by their names, and the others of both are there",
  folders,
  async (t, places) => {
    const { early, files } = places;
    await write(join(early, "a.json"), spec("1", ["x", "y"]));
    await write(join(early, "b.json"), spec("2", ["x", "z"]));
    const failure = await t.throwsAsync(env(files, "v.com/c=x"), { message: /find CDI device v\.com\/c=x: .*a\.json and .*b\.json/ });
    t.is(kindOf(failure), "failed-precondition");
    t.deepEqual(await env(files, "v.com/c=y", "v.com/c=z"), ["Y=1", "Z=2"]);
    t.like(describeDevices(await files.read()), { devices: ["v.com/c=y", "v.com/c=z"], problems: { length: 1 } });
  },
);

test(
  "a file that can't be read takes only its own devices away, and a device that is not there is told with it",
  folders,
  async (t, places) => {
    const { early, files } = places;
    await write(join(early, "a.json"), spec("1", ["x"]));
    await write(join(early, "bad.json"), "{");
    t.deepEqual(await env(files, "v.com/c=x"), ["X=1"]);
    const failure = await t.throwsAsync(env(files, "v.com/c=n"), { message: /no file of this node has it; .*bad\.json: it is no JSON/ });
    t.is(kindOf(failure), "failed-precondition");
  },
);

test("a file that others than root may write is not read", folders, async (t, { early, late, files }) => {
  await write(join(early, "group.json"), spec("1", ["g"]));
  await chmod(join(early, "group.json"), 0o664);
  await write(join(early, "all.json"), spec("1", ["a"]));
  await chmod(join(early, "all.json"), 0o646);
  await symlink(join(early, "all.json"), join(late, "link.json"));
  const { files: read, problems } = await files.read();
  t.deepEqual(read, []);
  t.is(problems.length, 3);
  for (const problem of problems) t.regex(problem, /its group or everybody may write to it/);
});

test("a file that is too long, a folder and a hidden file are not read", folders, async (t, { early, files }) => {
  await write(join(early, "long.json"), " ".repeat(1024 * 1024 + 1));
  await mkdir(join(early, "folder.json"));
  await write(join(early, ".hidden.json"), spec("1", ["h"]));
  await write(join(early, "note.txt"), "no spec");
  const { files: read, problems } = await files.read();
  t.deepEqual(read, []);
  t.is(problems.length, 2);
  t.true(problems.some((problem) => /long\.json: it is over 1048576 bytes/.test(problem)));
  t.true(problems.some((problem) => /folder\.json: it is no regular file/.test(problem)));
});

test("a file is as it is now, and is parsed again only when it has changed", folders, async (t, { early, files }) => {
  const path = join(early, "a.json");
  await write(path, spec("1", ["x"]));
  const first = await files.read();
  t.is((await files.read()).files[0]?.spec, first.files[0]?.spec);
  await write(path, spec("other", ["x"]));
  t.deepEqual(await env(files, "v.com/c=x"), ["X=other"]);
  await rm(path);
  t.deepEqual(await files.read(), { files: [], problems: [] });
});
