import test from "ava";
import { Results } from "../../bench/results.ts";
import { rowsOf, tableOf } from "../../bench/table.ts";

const PEERS = ["berth+crun", "berth+runc", "containerd+runc", "containerd+crun"];

function results(): Results {
  const results = new Results();
  for (const [peer, value] of [
    ["berth+crun", 40],
    ["berth+runc", 60],
    ["containerd+runc", 320],
    ["containerd+crun", 240],
  ] as const)
    results.add(peer, "pod ready p50", "ms", value);
  results.add("berth+crun", "PSS, no pods", "MiB", 1.5);
  return results;
}

test("the table has a row a measure, and the first of Berth's as a part of each other peer", (t) => {
  t.is(
    tableOf(PEERS, results().measures()),
    [
      "               unit  berth+crun  berth+runc  containerd+runc  containerd+crun  : containerd+runc  : containerd+crun",
      "pod ready p50  ms          40.0        60.0            320.0            240.0              0.125              0.167",
      "PSS, no pods   MiB         1.50           -                -                -                  -                  -",
      "",
    ].join("\n"),
  );
});

test("without containerd the table has Berth alone", (t) => {
  t.is(tableOf(["berth+crun"], results().measures()).split("\n")[1], "pod ready p50  ms          40.0");
});

test("for programs each measure has its unit, both sides, their ratio, and every peer", (t) => {
  const rows = rowsOf(PEERS, results().measures());
  t.deepEqual(rows["pod ready p50"], {
    unit: "ms",
    berth: 40,
    peer: 320,
    ratio: 0.125,
    all: { "berth+crun": 40, "berth+runc": 60, "containerd+runc": 320, "containerd+crun": 240 },
  });
  t.like(rows["PSS, no pods"], { berth: 1.5, peer: undefined, ratio: undefined });
});
