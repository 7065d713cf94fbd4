import test from "ava";
import { hostsText, resolvConfText } from "../../../src/sandbox/etc-files.ts";

test("a pod finds itself by its name at its address", (t) => {
  t.regex(hostsText("web", ["10.88.0.5"]), /^10\.88\.0\.5\tweb$/m);
});

test("a pod without an address finds itself on loopback", (t) => {
  t.regex(hostsText("web", []), /^127\.0\.1\.1\tweb$/m);
});

test("DNS settings become the lines that resolvers read", (t) => {
  const text = resolvConfText({ servers: ["10.0.0.1", "10.0.0.2"], searches: ["a.test", "b.test"], options: ["ndots:5"] });
  t.is(text, "nameserver 10.0.0.1\nnameserver 10.0.0.2\nsearch a.test b.test\noptions ndots:5\n");
});

test("no DNS settings leave the node's own", (t) => {
  t.is(resolvConfText({ servers: [], searches: [], options: [] }), undefined);
});
