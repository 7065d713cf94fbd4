import { readFile } from "node:fs/promises";
import test from "ava";
import { helpText, referencePage } from "../../../src/config/help.ts";
import { SETTINGS } from "../../../src/config/table.ts";

test("the page of settings is as the table has them; `make docs` writes it", async (t) => {
  t.is(await readFile(new URL("../../../docs/configuration.md", import.meta.url), "utf8"), referencePage());
});

test("--help names every setting", (t) => {
  for (const { name, doc } of Object.values(SETTINGS)) {
    t.true(helpText().includes(`--${name} `), name);
    t.true(helpText().includes(doc), name);
  }
});
