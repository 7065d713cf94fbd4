import test from "ava";
import { caughtBy, hears, signalNumber } from "../../../src/container/stop-signal.ts";

test("a stop signal may be a name, a short name or a number", (t) => {
  t.deepEqual(["SIGQUIT", "QUIT", "3", "SIGUSR1"].map(signalNumber), [3, 3, 3, 10]);
});

test("a stop signal that does not exist is SIGTERM", (t) => {
  t.deepEqual(["SIGNOPE", "0", "65", "99", "-1"].map(signalNumber), [15, 15, 15, 15, 15]);
});

test("a signal is heard when the process has a handler for it", (t) => {
  t.true(caughtBy("Name:\ttop\nSigCgt:\t0000000003807a27\n", 15));
  t.false(caughtBy("Name:\tsh\nSigCgt:\t0000000000000002\n", 15));
  t.is(caughtBy("", 15), undefined);
});

test("SIGKILL needs no handler, and a process that is gone is no reason to wait", (t) => {
  t.true(hears(process.pid, 9));
  t.true(hears(2 ** 30, 15));
});

test("real-time signals are counted as glibc does, in the image's words and the CRI's", (t) => {
  t.deepEqual(["SIGRTMIN", "RTMIN+3", "SIGRTMINPLUS3", "SIGRTMAX-1", "SIGRTMAXMINUS1"].map(signalNumber), [34, 37, 37, 63, 63]);
  t.is(signalNumber("SIGRTMIN+40"), 15);
});
