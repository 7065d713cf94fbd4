import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { AddressPool } from "../../../src/network/ipam.ts";
import { parseSubnet, parseSubnets } from "../../../src/network/subnet.ts";

test("the first address is the gateway's, the rest are handed out once each", (t) => {
  const pool = new AddressPool(parseSubnet("10.1.2.0/29"), []);
  t.is(pool.gateway, "10.1.2.1");
  const taken = Array.from({ length: 5 }, () => pool.take());
  t.deepEqual(taken, ["10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"]);
  t.is(kindOf(t.throws(() => pool.take())), "resource-exhausted");
});

test("an address that was given back rests until the others have been used", (t) => {
  const pool = new AddressPool(parseSubnet("10.1.2.0/29"), []);
  const first = pool.take();
  pool.giveBack(first);
  t.deepEqual([pool.take(), pool.take(), pool.take(), pool.take(), pool.take()], ["10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6", first]);
});

test("addresses on record are held from the start", (t) => {
  const pool = new AddressPool(parseSubnet("10.1.2.0/29"), ["10.1.2.2", "10.1.2.4"]);
  t.deepEqual([pool.take(), pool.take(), pool.take()], ["10.1.2.5", "10.1.2.6", "10.1.2.3"]);
});

test("a pool that is full says which subnet it is of, and how many pods have it", (t) => {
  const pool = new AddressPool(parseSubnet("10.1.2.0/30"), ["10.1.2.2"]);
  t.like(
    t.throws(() => pool.take()),
    { kind: "resource-exhausted", message: "take address: all 1 addresses of 10.1.2.0/30 are in use" },
  );
});

test("IPv6 has no broadcast address, and room without end in a /64", (t) => {
  const small = new AddressPool(parseSubnet("fd00:1::/126"), []);
  t.is(small.gateway, "fd00:1::1");
  t.deepEqual([small.take(), small.take()], ["fd00:1::2", "fd00:1::3"]);
  t.is(kindOf(t.throws(() => small.take())), "resource-exhausted");
  t.is(new AddressPool(parseSubnet("fd00:1::/64"), []).size, 2n ** 64n - 2n);
});

/** Numbers that look random and are the same in each run (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

for (const [subnet, hosts] of [
  ["10.1.2.0/27", 29],
  ["fd00:1::/123", 30],
] as const) {
  test(`of 1000 pods that come, go and crash in ${subnet}, none has another's address and none keeps one`, (t) => {
    const random = seeded(20_251);
    // What is on disk; an address that is taken and not there yet goes with a crash.
    const recorded = new Set<string>();
    let pool = new AddressPool(parseSubnet(subnet), recorded);
    let [taken, full, crashes] = [0, 0, 0];
    for (let step = 0; step < 1000; step += 1) {
      const what = random(10);
      if (what < 6) {
        if (recorded.size === hosts) {
          t.is(kindOf(t.throws(() => pool.take())), "resource-exhausted");
          full += 1;
          continue;
        }
        const address = pool.take();
        t.false(recorded.has(address), `${address} in step ${step}`);
        taken += 1;
        const fate = random(10);
        if (fate === 0) pool.giveBack(address);
        else recorded.add(address);
      } else if (what < 9) {
        const address = [...recorded][random(Math.max(recorded.size, 1))];
        if (address === undefined) continue;
        recorded.delete(address);
        pool.giveBack(address);
      } else {
        if (recorded.size < hosts) pool.take();
        pool = new AddressPool(parseSubnet(subnet), recorded);
        crashes += 1;
      }
      t.is(pool.used, recorded.size, `step ${step}`);
    }
    t.true(taken > 300 && full > 10 && crashes > 50, `${taken} taken, ${full} times full, ${crashes} crashes`);
    for (const address of recorded) pool.giveBack(address);
    t.is(new Set(Array.from({ length: hosts }, () => pool.take())).size, hosts, "every address can be had again");
  });
}

for (const text of ["10.88.0.0", "10.88.0.1/16", "10.88.0.0/31", "10.0.0.0/7", "fd00::1/64", "fd00::/47", "fd00::/127", ""]) {
  test(`${JSON.stringify(text)} is no subnet for pods`, (t) => {
    t.is(kindOf(t.throws(() => parseSubnet(text))), "invalid-argument");
  });
}

test("a network has a subnet, or one of each family", (t) => {
  const texts = (text: string): string[] => parseSubnets(text).map((subnet) => subnet.text);
  t.deepEqual(texts("10.88.0.0/16"), ["10.88.0.0/16"]);
  t.deepEqual(texts("fd00:0:0:1::/64, 10.88.0.0/16"), ["fd00:0:0:1::/64", "10.88.0.0/16"]);
  for (const bad of ["10.88.0.0/16,10.89.0.0/16", "fd00::/64,fd01::/64", "10.88.0.0/16,fd00::/64,fd01::/64", "10.88.0.0/16,"])
    t.is(kindOf(t.throws(() => parseSubnets(bad))), "invalid-argument", bad);
});
