import test from "ava";
import { settingsOf } from "../../bench/settings.ts";

test("without settings everything is measured", (t) => {
  t.like(settingsOf({}), { rounds: 50, pods: 100, measures: ["pods", "load", "pull", "logs", "restart"] });
  t.is(settingsOf({ PEERS: "" }).peers.length, 5);
});

test("peers and measures can be chosen, and are taken in that order", (t) => {
  t.like(settingsOf({ PEERS: "containerd+runc,berth+direct,berth+crun", MEASURES: "load", ROUNDS: "5" }), {
    peers: ["containerd+runc", "berth+direct", "berth+crun"],
    measures: ["load"],
    rounds: 5,
  });
});

test("what makes no sense is refused, with what would", (t) => {
  t.throws(() => settingsOf({ PEERS: "docker" }), { message: /PEERS: docker is none of berth\+crun, / });
  t.throws(() => settingsOf({ ROUNDS: "0" }), { message: "ROUNDS=0 is no whole number from 1 on" });
  t.throws(() => settingsOf({ ROUNDS: "many" }), { message: /ROUNDS=many/ });
});
