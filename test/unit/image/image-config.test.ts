import test from "ava";
import { parseImageConfig } from "../../../src/image/image-config.ts";

const parse = (config: Record<string, unknown>, rest: Record<string, unknown> = {}) =>
  parseImageConfig(
    Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] }, config, ...rest })),
  );

test("an empty config gives empty values, and null is as good as absent", (t) => {
  const { config } = parse({ Entrypoint: null, Volumes: null });
  t.deepEqual(config, {
    user: "",
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: "",
    stopSignal: "",
    volumes: [],
    labels: {},
    exposedPorts: [],
  });
});

test("what the maker wrote is taken over", (t) => {
  const { config } = parse({
    User: "web:web",
    Env: ["A=1"],
    Entrypoint: ["/e"],
    Cmd: ["c"],
    WorkingDir: "/srv",
    StopSignal: "SIGQUIT",
    Volumes: { "/data": {} },
    Labels: { a: "b", __proto__x: "c" },
    ExposedPorts: { "80/tcp": {} },
  });
  t.like(config, { user: "web:web", env: ["A=1"], entrypoint: ["/e"], cmd: ["c"], workingDir: "/srv", stopSignal: "SIGQUIT" });
  t.like(config, { volumes: ["/data"], labels: { a: "b" }, exposedPorts: ["80/tcp"] });
});

test("a working folder without a slash is one below the root", (t) => {
  t.is(parse({ WorkingDir: "app" }).config.workingDir, "/app");
});

test("a label called __proto__ is a label", (t) => {
  const { config } = parseImageConfig(Buffer.from('{"config":{"Labels":{"__proto__":"x"}},"rootfs":{"diff_ids":[]}}'));
  t.deepEqual(Object.entries(config.labels), [["__proto__", "x"]]);
});

test("how the image was made is kept, cut where it is long", (t) => {
  const { history } = parse(
    {},
    {
      history: [
        { created: "2030-01-02T03:04:05Z", created_by: "x".repeat(5000) },
        { empty_layer: true, comment: "c" },
      ],
    },
  );
  t.deepEqual(history, [
    { created: "2030-01-02T03:04:05Z", createdBy: "x".repeat(4096), comment: "", emptyLayer: false },
    { created: "", createdBy: "", comment: "c", emptyLayer: true },
  ]);
  t.is(parse({}, { history: Array.from({ length: 1001 }, () => ({})) }).history.length, 1000);
});

test("an odd history is no reason to refuse an image", (t) => {
  t.deepEqual(parse({}).history, []);
  t.deepEqual(parse({}, { history: "text" }).history, []);
  t.deepEqual(parse({}, { history: [7, { created_by: 7, empty_layer: "yes" }] }).history, [
    { created: "", createdBy: "", comment: "", emptyLayer: false },
    { created: "", createdBy: "", comment: "", emptyLayer: false },
  ]);
});

test("a history of over a mebibyte is left out", (t) => {
  const entry = { created_by: "x".repeat(4096), comment: "x".repeat(4096) };
  t.deepEqual(parse({}, { history: Array.from({ length: 1000 }, () => entry) }).history, []);
});

const REFUSED: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>?])[] = [
  ["a variable with a NUL byte", { Env: ["A=\0"] }],
  ["a list that is none", { Cmd: "text" }],
  ["a list of numbers", { Cmd: [1] }],
  ["a text that is a number", { User: 0 }],
  ["labels that are a list", { Labels: ["a"] }],
  ["a label that is no text", { Labels: { a: 1 } }],
  ["a volume that leads upwards", { Volumes: { "/../../etc": {} } }],
  ["a relative volume", { Volumes: { data: {} } }],
  ["a variable longer than the kernel takes", { Env: ["A".repeat(200_000)] }],
  ["more variables than are of any use", { Env: Array.from({ length: 10_001 }, () => "A=1") }],
  ["labels of over a mebibyte", { Labels: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, "x".repeat(100_000)])) }],
  ["a layer that is no digest", {}, { rootfs: { diff_ids: ["md5:1"] } }],
  ["more layers than can be mounted", {}, { rootfs: { diff_ids: Array.from({ length: 501 }, () => `sha256:${"a".repeat(64)}`) } }],
];

for (const [what, config, rest] of REFUSED) {
  test(`${what} is refused`, (t) => {
    t.like(
      t.throws(() => parse(config, rest)),
      { kind: "invalid-argument" },
    );
  });
}

test("what is no JSON object is refused", (t) => {
  for (const text of ["", "[]", "null", "{"])
    t.like(
      t.throws(() => parseImageConfig(Buffer.from(text))),
      { kind: "invalid-argument" },
    );
});
