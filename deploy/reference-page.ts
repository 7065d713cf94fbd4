// Writes docs/configuration.md, the page of all settings. usage: node deploy/reference-page.ts FILE
import { writeFile } from "node:fs/promises";
import { referencePage } from "../src/config/help.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("name the file to write");
await writeFile(file, referencePage());
