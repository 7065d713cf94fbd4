import test from "ava";
import { kindOf } from "../../../src/base/errors.ts";
import { AddressPool } from "../../../src/network/ipam.ts";
import { parseSubnet } from "../../../src/network/subnet.ts";

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

for (const text of ["10.88.0.0", "10.88.0.1/16", "10.88.0.0/31", "10.0.0.0/7", "fd00::/64", ""]) {
  test(`${JSON.stringify(text)} is no subnet for pods`, (t) => {
    t.is(kindOf(t.throws(() => parseSubnet(text))), "invalid-argument");
  });
}
