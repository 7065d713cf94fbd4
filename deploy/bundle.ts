// Makes build/bin: berthd and berth as one file each, and small programs that start them.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const top = fileURLToPath(new URL("..", import.meta.url));
const bin = join(top, "build/bin");

// Bundled CommonJS asks for these; in a module they are not there by themselves.
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

// The heap is bounded, so that a leak shows as an end and a start, and not as a node without memory. A small young
// generation keeps what the garbage collector holds back small.
const BERTHD_NODE_FLAGS = "--max-old-space-size=192 --max-semi-space-size=2 --disable-warning=ExperimentalWarning";
const BERTH_NODE_FLAGS = "--disable-warning=ExperimentalWarning";

await mkdir(bin, { recursive: true });
await build({
  absWorkingDir: top,
  entryPoints: {
    berthd: "src/cmd/berthd.ts",
    berth: "src/cmd/berth.ts",
    "store-worker": "src/store/worker.ts",
    "node-info-worker": "src/stats/node-info-worker.ts",
  },
  outdir: bin,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  banner: { js: banner },
  legalComments: "none",
  define: { IS_BUNDLED: "true" },
  minifySyntax: true,
  sourcemap: false,
  logLevel: "warning",
});

// A node beside the program is preferred: packages bring theirs.
const starter = (name: string, flags: string): string => `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
for node in "$here/node" "$here/../tools/bin/node"; do
	[ -x "$node" ] && exec "$node" ${flags} "$here/${name}.mjs" "$@"
done
exec node ${flags} "$here/${name}.mjs" "$@"
`;
for (const [name, flags] of [
  ["berthd", BERTHD_NODE_FLAGS],
  ["berth", BERTH_NODE_FLAGS],
] as const) {
  const path = join(bin, name);
  await writeFile(path, starter(name, flags));
  await chmod(path, 0o755);
}
