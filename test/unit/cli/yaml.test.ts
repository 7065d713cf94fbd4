import test from "ava";
import { formatYaml } from "../../../src/cli/yaml.ts";

test("objects and arrays are blocks, and texts that would be read as something else are quoted", (t) => {
  const value = [
    { name: "web", ready: true, size: 12, none: null, empty: {}, list: [], labels: { "a.b/c": "yes", d: "1", e: "" } },
    { nested: [["a"], { b: ["c"] }], text: "two words: and more", reference: "localhost/app:1", line: "a\nb" },
  ];
  t.is(
    formatYaml(value),
    `- name: web
  ready: true
  size: 12
  none: null
  empty: {}
  list: []
  labels:
    a.b/c: "yes"
    d: "1"
    e: ""
- nested:
    - - a
    - b:
        - c
  text: "two words: and more"
  reference: localhost/app:1
  line: "a\\nb"
`,
  );
});

test("nothing is an empty list", (t) => t.is(formatYaml([]), "[]\n"));
