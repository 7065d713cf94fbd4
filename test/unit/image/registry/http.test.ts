import test from "ava";
import { isRegistryUnavailable } from "../../../../src/image/registry/failures.ts";
import { parseHosts } from "../../../../src/image/registry/hosts.ts";
import { HttpClient, readBounded } from "../../../../src/image/registry/http.ts";
import { FakeRegistry } from "../../../lib/fake-registry.ts";
import { never } from "../../../lib/image-service.ts";

for (const [what, begin] of [
  ["never begins to answer", false],
  ["stops in the middle of an answer", true],
] as const) {
  test(`a registry that ${what} is unavailable, and is not waited for without end`, async (t) => {
    const registry = await FakeRegistry.start(t);
    registry.intercept = (_request, response) => {
      if (begin) response.writeHead(200, { "content-length": 10 }).write("12345");
      return true;
    };
    const [host] = await parseHosts("", registry.address, "/nowhere", "hosts.toml");
    if (host === undefined) return t.fail();
    const client = new HttpClient(host, { connectMs: 1000, silenceMs: 100 });
    t.teardown(() => client.close());
    const failure = await t.throwsAsync(async () => {
      const answer = await client.get(new URL(`http://${registry.address}/v2/`), {}, {}, "ask", never);
      return await readBounded(answer, 100, "ask", never);
    });
    t.true(isRegistryUnavailable(failure));
    t.regex(failure.message, /^ask: .*Timeout/);
  });
}
