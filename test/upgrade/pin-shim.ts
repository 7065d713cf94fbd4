// Writes what is new in the shim's messages to shim-revisions.txt, as of a new SHIM_REVISION: node test/upgrade/pin-shim.ts
import { appendFileSync } from "node:fs";
import { SHIM_REVISION, shimRevisions, unlistedShape } from "./shim-revisions.ts";
import { wireShape } from "./wire-shape.ts";

const unlisted = unlistedShape(wireShape());
const last = shimRevisions().at(-1)?.revision ?? 0;
if (unlisted.length > 0 && SHIM_REVISION <= last)
  throw new Error(
    `pin revision ${SHIM_REVISION} of the shim: it has its lines already; raise SHIM_REVISION in native/wire/src/lib.rs first`,
  );
for (const line of unlisted) appendFileSync(new URL("shim-revisions.txt", import.meta.url), `${SHIM_REVISION} ${line}\n`);
console.log(`revision ${SHIM_REVISION}: ${unlisted.length} lines`);
