// A pull by the node, shown on standard error while it goes on: bars on a terminal, else a line for each layer that has come.
import { AgentError } from "../base/errors.ts";
import { BerthService as Berth, type LayerProgress, type RegistryCredentials } from "../generated/berth/v1/berth.ts";
import { barLines, doneLine } from "./pull-bars.ts";
import type { Session } from "./session.ts";

// Where the terminal does not say, or says 0.
const [COLUMNS, ROWS] = [80, 24];
const ERASE_LINE = "\u001b[2K";
const up = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A`);

/** @returns the image's id @throws what the node says; when `interrupted` is given, its reason */
export async function pullImage(
  session: Session,
  image: string,
  credentials: RegistryCredentials | undefined,
  interrupted: AbortSignal,
  quiet: boolean,
): Promise<string> {
  const { stderr } = session.world;
  const layers = new Map<string, LayerProgress>();
  let shown = 0;
  const show = async (lines: readonly string[]): Promise<void> => {
    // What was there before may have more lines.
    const all = [...lines, ...Array.from({ length: Math.max(0, shown - lines.length) }, () => "")];
    const text = all.map((line) => `${ERASE_LINE}${line}\n`).join("");
    await session.print(`${up(shown)}${text}${up(all.length - lines.length)}`, "stderr");
    shown = lines.length;
  };
  let id = "";
  try {
    await session.node.listen(
      Berth.pullImage,
      { image, credentials },
      async (answer) => {
        id = answer.id;
        const came = answer.layers.filter(({ digest, phase }) => phase === "done" && layers.get(digest)?.phase !== "done");
        for (const layer of answer.layers) layers.set(layer.digest, layer);
        if (quiet) return;
        if (stderr.isTTY === true) await show(barLines([...layers.values()], stderr.columns || COLUMNS, stderr.rows || ROWS));
        else await session.print(came.map((layer) => `${doneLine(layer)}\n`).join(""), "stderr");
      },
      interrupted,
    );
  } finally {
    // The bars have done their duty.
    if (shown > 0) await show([]);
  }
  interrupted.throwIfAborted();
  if (id === "") throw new AgentError("internal", `pull ${image}: the node has told no id`);
  return id;
}
