import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parseHosts, type RegistryHost, registryHosts } from "../../../../src/image/registry/hosts.ts";
import { temporaryFolder } from "../../../lib/image-service.ts";

const parse = (text: string, registry = "registry.example", folder = "/nowhere"): Promise<RegistryHost[]> =>
  parseHosts(text, registry, folder, "hosts.toml");
const bases = (hosts: readonly RegistryHost[]): string[] => hosts.map((host) => host.base.href);

test("without a table, the registry itself is asked", async (t) => {
  const folder = await temporaryFolder(t);
  const plain = async (registry: string): Promise<string[]> => bases(await registryHosts(folder, registry));
  t.deepEqual(await plain("registry.example"), ["https://registry.example/v2"]);
  t.deepEqual(await plain("registry.example:8443"), ["https://registry.example:8443/v2"]);
  t.deepEqual(await plain("docker.io"), ["https://registry-1.docker.io/v2"]);
});

test("a registry on this very machine needs no encryption, and no other goes without", async (t) => {
  const folder = await temporaryFolder(t);
  for (const registry of ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "localhost"]) {
    t.is((await registryHosts(folder, registry))[0]?.base.protocol, "http:", registry);
  }
  for (const registry of ["localhost.example", "128.0.0.1", "10.0.0.1:5000", "127.0.0.1.example"]) {
    t.is((await registryHosts(folder, registry))[0]?.base.protocol, "https:", registry);
  }
});

test("mirrors come in the order they are written, the registry last", async (t) => {
  const hosts = await parse('server = "https://registry.example"\n[host."https://b.example"]\n[host."http://a.example:5000"]\n');
  t.deepEqual(bases(hosts), ["https://b.example/v2", "http://a.example:5000/v2", "https://registry.example/v2"]);
  t.deepEqual(
    hosts.map((host) => host.isRegistry),
    [false, false, true],
  );
});

test("a registry that is named among the hosts keeps the place and the settings it has there", async (t) => {
  const hosts = await parse(
    'server = "https://registry.example"\n[host."https://registry.example"]\nskip_verify = true\n[host."https://m.example"]\n',
  );
  t.deepEqual(bases(hosts), ["https://registry.example/v2", "https://m.example/v2"]);
  t.like(hosts[0], { isRegistry: true, skipVerify: true });
});

test("a host is asked only for what it is said to be able to", async (t) => {
  const hosts = await parse('[host."https://a.example"]\ncapabilities = ["pull"]\n[host."https://b.example"]\ncapabilities = ["push"]\n');
  t.deepEqual(
    hosts.map((host) => [host.base.host, ...host.capabilities]),
    [
      ["a.example", "pull"],
      ["registry.example", "pull", "resolve"],
    ],
  );
});

test("a path of its own is kept where the table says so", async (t) => {
  const hosts = await parse('[host."https://a.example/v2/proxy"]\noverride_path = true\n[host."https://b.example/sub/"]\n');
  t.deepEqual(bases(hosts).slice(0, 2), ["https://a.example/v2/proxy", "https://b.example/sub/v2"]);
});

test("headers are taken over", async (t) => {
  const [host] = await parse('[host."https://a.example".header]\nX-One = "1"\nx-two = ["2", "3"]\n');
  t.deepEqual(host?.headers, { "x-one": "1", "x-two": "2, 3" });
});

test("certificates are read beside the table, in each of the forms they are written in", async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of ["ca", "cert", "key", "both"]) await writeFile(join(folder, name), name);
  const read = async (client: string) =>
    (await parse(`[host."https://a.example"]\nca = "ca"\nclient = ${client}\n`, "registry.example", folder))[0];
  t.deepEqual((await read('"both"'))?.ca, ["ca"]);
  t.deepEqual((await read('"both"'))?.clientCertificates, [{ cert: "both", key: "both" }]);
  t.deepEqual((await read('["both", "both"]'))?.clientCertificates.length, 2);
  t.deepEqual((await read(`[["cert", "${join(folder, "key")}"], ["both", ""]]`))?.clientCertificates, [
    { cert: "cert", key: "key" },
    { cert: "both", key: "both" },
  ]);
});

test("the folder of a registry comes before the default one, and a port may stand without its colon", async (t) => {
  const folder = await temporaryFolder(t);
  const write = async (name: string, server: string): Promise<void> => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "hosts.toml"), `server = "${server}"`);
  };
  await write("_default", "https://default.example");
  await write("registry.example", "https://own.example");
  await write("registry.example_5000_", "https://port.example");
  t.deepEqual(bases(await registryHosts(folder, "registry.example")), ["https://own.example/v2"]);
  t.deepEqual(bases(await registryHosts(folder, "registry.example:5000")), ["https://port.example/v2"]);
  t.deepEqual(bases(await registryHosts(folder, "other.example")), ["https://default.example/v2"]);
});

for (const [what, text] of [
  ["that is no TOML", "server = "],
  ["with a host that is no URL", '[host."ftp://a.example"]'],
  ["with a certificate that is not there", '[host."https://a.example"]\nca = "missing.pem"'],
  ["with a certificate that is no path", '[host."https://a.example"]\nca = 5'],
] as const) {
  test(`a table ${what} is refused, and the message names the file`, async (t) => {
    const failure = await t.throwsAsync(parse(text));
    t.like(failure, { kind: "failed-precondition" });
    t.regex(failure.message, /^read hosts\.toml: /);
  });
}
