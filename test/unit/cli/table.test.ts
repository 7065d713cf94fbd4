import test from "ava";
import { type Column, formatData, formatTable } from "../../../src/cli/table.ts";

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
  t.deepEqual(JSON.parse(formatData(rows, "json")), [{ size: 42 }, { size: "1732000000000000000" }]);
  t.is(formatData([], "json"), "[]\n");
});

test("long columns are cut to the width of a terminal, the widest first, and others are not", (t) => {
  const columns: readonly Column<readonly string[]>[] = [
    { title: "ID", text: ([id = ""]) => id },
    { title: "NAME", text: ([, name = ""]) => name, long: true },
    { title: "IMAGE", text: ([, , image = ""]) => image, long: true },
  ];
  const rows = [["0123456789", "a-name-of-some-length", "registry.example/with/a/long/path:1"]];
  const fits = (most: number) => formatTable(columns, rows, most).split("\n")[1];
  t.is(fits(200), "0123456789  a-name-of-some-length  registry.example/with/a/long/path:1");
  t.is(fits(60), "0123456789  a-name-of-some-length  registry.example/with/a/…");
  t.is(fits(40), "0123456789  a-name-of-so…  registry.exa…".slice(0, 40));
  t.is(fits(10), "0123456789  a-name-…  registr…");
});
