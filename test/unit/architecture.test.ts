// Which way imports go, and how large files are. The table is the design's; a wrong arrow is named.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/** Importer → what it may import, besides itself. `generated` is message types, which know nobody. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  generated: [],
  config: ["base"],
  "native-client": ["base", "generated"],
  store: ["base"],
  network: ["base", "generated", "native-client", "store"],
  image: ["base", "generated", "native-client", "store"],
  sandbox: ["base", "generated", "native-client", "store", "network"],
  container: ["base", "generated", "native-client", "store", "sandbox", "image"],
  stats: ["base", "generated", "native-client", "store", "container", "sandbox", "image", "network"],
  audit: ["base", "generated", "native-client", "container", "sandbox", "image", "network"],
  why: ["base", "generated", "native-client", "container", "sandbox", "image", "network"],
  cri: ["base", "generated", "audit", "why", "sandbox", "container", "image", "network", "stats"],
  cli: ["base", "generated"],
  cmd: [
    "base",
    "generated",
    "audit",
    "config",
    "cri",
    "cli",
    "container",
    "image",
    "native-client",
    "network",
    "sandbox",
    "stats",
    "store",
    "why",
  ],
};

const MOST_LINES = 400;
const MOST_LINES_OF_MEDIAN = 90;
// So that a walk that finds nothing does not pass.
const LEAST_MODULES = 170;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.startsWith("generated/"))
  .map((path) => ({ path, text: readFileSync(join(SRC, path), "utf8") }));

const folderOf = (path: string): string => path.split("/")[0] ?? "";

/** Paths below src/ that a file imports, also in pieces: static, dynamic and re-exporting. */
function importsOf({ path, text }: { path: string; text: string }): string[] {
  const specifiers = [...text.matchAll(/(?:from|import\(|import)\s*"(\.[^"]+)"/g)].map((match) => match[1] ?? "");
  return specifiers
    .map((specifier) => relative(SRC, normalize(join(SRC, dirname(path), specifier))))
    .filter((target) => !target.startsWith(".."));
}

test("every folder of src has its place in the table", (t) => {
  t.deepEqual(
    [...new Set(files.map(({ path }) => folderOf(path)))].filter((folder) => !(folder in MAY_IMPORT)),
    [],
  );
});

test("imports go only the way that the design says", (t) => {
  t.true(files.length >= LEAST_MODULES, `only ${files.length} modules were seen`);
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => {
        const [from, to] = [folderOf(file.path), folderOf(target)];
        return from !== to && !MAY_IMPORT[from]?.includes(to);
      })
      .map((target) => `${file.path} → ${target}`),
  );
  t.deepEqual(wrong, []);
  t.log(`${files.length} modules`);
});

test("no import leads round in a circle", (t) => {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(" → ");
    if (done.has(path)) return undefined;
    for (const target of graph.get(path) ?? []) {
      const circle = visit(target, [...trail, path]);
      if (circle !== undefined) return circle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) t.is(visit(path, []), undefined);
});

test("files are short", (t) => {
  const lines = files.map(({ path, text }) => ({ path, count: text.split("\n").length - 1 })).sort((a, b) => a.count - b.count);
  t.deepEqual(
    lines.filter(({ count }) => count > MOST_LINES).map(({ path, count }) => `${path}: ${count}`),
    [],
  );
  const median = lines[Math.floor(lines.length / 2)]?.count ?? 0;
  t.true(median <= MOST_LINES_OF_MEDIAN, `the median is ${median}`);
});
