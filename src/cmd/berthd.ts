// berthd: reads its settings, and then loads all else, as V8 has compiled it for an earlier start.
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../base/errors.ts";
import { loadConfig } from "../config/load.ts";
import { useCompileCache } from "./compile-cache.ts";
import { VERSION } from "./version.ts";

async function main(): Promise<void> {
  const program = fileURLToPath(import.meta.url);
  const loaded = loadConfig(process.argv.slice(2), { programDir: dirname(program), version: VERSION });
  if ("text" in loaded) {
    process.stdout.write(loaded.text);
    return;
  }
  const { config, reset } = loaded;
  // Layers have set-user-ID programs, and records the variables of containers: nobody but root has business there.
  await mkdir(config.root, { recursive: true, mode: 0o700 });
  await chmod(config.root, 0o700);
  await mkdir(join(config.state, "s"), { recursive: true, mode: 0o711 });
  if (reset !== undefined) {
    const { resetNode } = await import("./reset-node.ts");
    await resetNode(loaded, reset);
    return;
  }
  const keepCompiled = useCompileCache(config.root, program);
  const { serveNode } = await import("./serve-node.ts");
  await serveNode(loaded, keepCompiled);
}

main().then(
  () => process.exit(0),
  (failure: unknown) => {
    process.stderr.write(`berthd: ${messageOf(failure)}\n`);
    process.exit(1);
  },
);
