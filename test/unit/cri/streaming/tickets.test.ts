import test from "ava";
import { Tickets } from "../../../../src/cri/streaming/tickets.ts";

test("a ticket works once", (t) => {
  const tickets = new Tickets<string>();
  const ticket = tickets.issue("exec");
  t.regex(ticket, /^[\w-]{22}$/);
  t.is(tickets.redeem(ticket), "exec");
  t.is(tickets.redeem(ticket), undefined);
  t.is(tickets.redeem(""), undefined);
});

test("a ticket is void after a minute", (t) => {
  let nowMs = 0;
  const tickets = new Tickets<string>(() => nowMs);
  const [early, late] = [tickets.issue("early"), tickets.issue("late")];
  nowMs = 59_999;
  t.is(tickets.redeem(early), "early");
  nowMs = 60_000;
  t.is(tickets.redeem(late), undefined);
});

test("a thousand wait for their clients, and there is room again when one was used or is void", (t) => {
  let nowMs = 0;
  const tickets = new Tickets<number>(() => nowMs);
  const issued = Array.from({ length: 1000 }, (_, number) => tickets.issue(number));
  t.like(
    t.throws(() => tickets.issue(1000)),
    { kind: "resource-exhausted" },
  );
  tickets.redeem(issued[500] ?? "");
  tickets.issue(1000);
  nowMs = 60_000;
  for (let number = 0; number < 1000; number++) tickets.issue(number);
  t.pass();
});
