// Makes build/bin: berthd and berth with what they load, and small programs that start them.
import { chmod, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const top = fileURLToPath(new URL("..", import.meta.url));
const bin = join(top, "build/bin");

// Bundled CommonJS asks for these; in a module they are not there by themselves.
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

// The heap is bounded, so that a leak shows as an end and a start, and not as a node without memory. A small young
// generation keeps what the garbage collector holds back small.
const BERTHD_NODE_FLAGS = "--max-old-space-size=192 --max-semi-space-size=1 --disable-warning=ExperimentalWarning";
// glibc keeps what was freed: in few arenas, and at their end no more than 128 KiB. Without a bound of ours it learns from the first large
// block that is freed to keep such ones, too: 50 MB after two hundred sessions at once.
const BERTHD_ENVIRONMENT = "export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072\n";
const BERTH_NODE_FLAGS = "--disable-warning=ExperimentalWarning";

const options = {
  absWorkingDir: top,
  outdir: bin,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // gRPC asks for it to describe itself, which nobody here wants.
  external: ["@grpc/proto-loader"],
  platform: "node",
  target: "node24",
  format: "esm",
  banner: { js: banner },
  legalComments: "none",
  define: { IS_BUNDLED: "true" },
  // The engine keeps the source in memory, and twice as large for one letter beyond ASCII in a comment. Names stay, for stacks.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  sourcemap: false,
  logLevel: "warning",
} satisfies BuildOptions;

await mkdir(bin, { recursive: true });
await build({
  ...options,
  entryPoints: {
    berth: "src/cmd/berth.ts",
    "store-worker": "src/store/worker.ts",
    "node-info-worker": "src/stats/node-info-worker.ts",
  },
});
// What berthd imports only when it needs it has files of its own, named after what is in them.
for (const name of await readdir(bin)) if (/^berthd-.+\.mjs$/.test(name)) await rm(join(bin, name));
await build({ ...options, entryPoints: { berthd: "src/cmd/berthd.ts" }, splitting: true, chunkNames: "berthd-[name]-[hash]" });

// A node beside the program is preferred: packages bring theirs.
const starter = (name: string, environment: string, flags: string): string => `#!/bin/sh
${environment}here=$(dirname "$(readlink -f "$0")")
for node in "$here/node" "$here/../tools/bin/node"; do
	[ -x "$node" ] && exec "$node" ${flags} "$here/${name}.mjs" "$@"
done
exec node ${flags} "$here/${name}.mjs" "$@"
`;
for (const [name, environment, flags] of [
  ["berthd", BERTHD_ENVIRONMENT, BERTHD_NODE_FLAGS],
  ["berth", "", BERTH_NODE_FLAGS],
] as const) {
  const path = join(bin, name);
  await writeFile(path, starter(name, environment, flags));
  await chmod(path, 0o755);
}
