import test from "ava";
import { type Column, formatJson, formatTable } from "../../../src/cli/table.ts";

interface Row {
  readonly name: string;
  readonly size: bigint;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "NAME", text: ({ name }) => name },
  { title: "SIZE", text: ({ size }) => String(size), right: true },
];

test("columns are as wide as their widest cell, and numbers stand to the right", (t) => {
  const table = formatTable(COLUMNS, [
    { name: "a", size: 5n },
    { name: "longer", size: 12_345n },
  ]);
  t.is(table, "NAME     SIZE\na           5\nlonger  12345\n");
});

test("a table without rows is its titles", (t) => {
  t.is(formatTable(COLUMNS, []), "NAME  SIZE\n");
});

test("an empty cell is a dash, so that every row has as many words", (t) => {
  t.is(formatTable(COLUMNS, [{ name: "", size: 1n }]), "NAME  SIZE\n-        1\n");
});

test("a name can't move the cursor", (t) => {
  t.is(formatTable(COLUMNS, [{ name: "a\u001b[2J\n", size: 1n }]).split("\n")[1], "a?[2J?     1");
});

test("JSON has whole numbers as numbers while a double can hold them, then as strings", (t) => {
  const rows = [{ size: 42n }, { size: 1_732_000_000_000_000_000n }];
  t.deepEqual(JSON.parse(formatJson(rows)), [{ size: 42 }, { size: "1732000000000000000" }]);
  t.is(formatJson([]), "[]\n");
});
