// Encrypted registries: whom we trust, and who we are. The certificates are made by openssl.
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { parseReference } from "../../src/image/reference.ts";
import { isRegistryUnavailable } from "../../src/image/registry/failures.ts";
import { registryHosts } from "../../src/image/registry/hosts.ts";
import { IMPATIENT, RegistryClient } from "../../src/image/registry/registry-client.ts";
import { never, temporaryFolder } from "../lib/image-service.ts";
import { blobOf, makeImage, OCI_MANIFEST } from "../lib/oci-image.ts";
import { DockerRegistry } from "../lib/registry.ts";

const run = promisify(execFile);
const image = makeImage();

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const manifest: Answer = (_request, response) => void response.writeHead(200, { "content-type": OCI_MANIFEST }).end(image.manifest.bytes);

/** A certificate that signs itself, as `<name>.pem` and `<name>.key`. */
async function certificate(folder: string, name: string, subject: string): Promise<void> {
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  await run("openssl", [
    ...args,
    "-subj",
    `/CN=${subject}`,
    "-addext",
    `subjectAltName=${subject}`,
    "-keyout",
    join(folder, `${name}.key`),
    "-out",
    join(folder, `${name}.pem`),
  ]);
}

async function serve(t: ExecutionContext, folder: string, answer: Answer, name = "server"): Promise<string> {
  await certificate(folder, name, "IP:127.0.0.1");
  const [cert, key] = [await readFile(join(folder, `${name}.pem`)), await readFile(join(folder, `${name}.key`))];
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** @param settings of the registry in its table */
async function client(t: ExecutionContext, folder: string, address: string, settings: string): Promise<RegistryClient> {
  const own = join(folder, address);
  await mkdir(own);
  await writeFile(join(own, "hosts.toml"), `server = "https://${address}"\n${settings}\n`);
  const [host] = await registryHosts(folder, address);
  if (host === undefined) throw new Error("the table has no host");
  const made = new RegistryClient(host, parseReference(`${address}/app:1`), undefined, IMPATIENT);
  t.teardown(() => made.close());
  return made;
}

test("a registry whose certificate nobody vouches for is refused, and it is not called unavailable", async (t) => {
  const folder = await temporaryFolder(t);
  const address = await serve(t, folder, manifest);
  const failure = await t.throwsAsync((await client(t, folder, address, "")).document("1", "", never));
  t.like(failure, { kind: "failed-precondition" });
  t.false(isRegistryUnavailable(failure));
  t.regex(failure.message, /self-signed certificate/);
});

test("a certificate that the table names is trusted", async (t) => {
  const folder = await temporaryFolder(t);
  const address = await serve(t, folder, manifest);
  t.is((await (await client(t, folder, address, `ca = "${folder}/server.pem"`)).document("1", "", never)).digest, image.manifest.digest);
});

test("a registry is not checked where the table says so, and where it redirects to is", async (t) => {
  const folder = await temporaryFolder(t);
  const stranger = await serve(t, folder, manifest, "stranger");
  const address = await serve(t, folder, (request, response) => {
    if (request.url?.includes("/blobs/") === true) response.writeHead(307, { location: `https://${stranger}/x` }).end();
    else manifest(request, response);
  });
  const registry = await client(t, folder, address, "skip_verify = true");
  t.is((await registry.document("1", "", never)).digest, image.manifest.digest);
  t.like(await t.throwsAsync(registry.blob(blobOf("x").digest, never)), { kind: "failed-precondition" });
});

test("a registry that demands a certificate of us lets us in with the right one, and is not called unavailable without", async (t) => {
  const folder = await temporaryFolder(t);
  for (const [name, subject] of [
    ["server", "IP:127.0.0.1"],
    ["client", "DNS:node.example"],
    ["other", "DNS:node.example"],
  ] as const) {
    await certificate(folder, name, subject);
  }
  const [server, key, clients] = ["server.pem", "server.key", "client.pem"].map((name) => join(folder, name)) as [string, string, string];
  const registry = await DockerRegistry.start(t, { certificate: server, key, clientcas: [clients] });
  const ask = async (name: string | undefined, at: string) => {
    const pair = name === undefined ? "" : `client = [["${folder}/${name}.pem", "${folder}/${name}.key"]]`;
    await mkdir(join(folder, at));
    const asking = await client(t, join(folder, at), registry.address, `ca = "${server}"\n${pair}`);
    return await t.throwsAsync(asking.document("1", "", never));
  };
  // It has nothing, but says so.
  t.like(await ask("client", "right"), { kind: "not-found" });
  for (const [name, at] of [
    ["other", "wrong"],
    [undefined, "none"],
  ] as const) {
    const failure = await ask(name, at);
    t.like(failure, { kind: "failed-precondition" }, failure.message);
    t.false(isRegistryUnavailable(failure));
  }
});

test("we show the certificate that the table names, to that host", async (t) => {
  const folder = await temporaryFolder(t);
  const seen: string[] = [];
  const address = await serve(t, folder, (request, response) => {
    if (request.socket instanceof TLSSocket) seen.push(String(request.socket.getPeerCertificate().subject?.CN));
    manifest(request, response);
  });
  await certificate(folder, "client", "DNS:node.example");
  const settings = `ca = "${folder}/server.pem"\nclient = [["${folder}/client.pem", "${folder}/client.key"]]`;
  await (await client(t, folder, address, settings)).document("1", "", never);
  t.deepEqual(seen, ["DNS:node.example"]);
});
