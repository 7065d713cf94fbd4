// The calls of the ImageService as a kubelet uses them: one id everywhere, and credentials in each form it sends.
import type { IncomingMessage, ServerResponse } from "node:http";
import test from "ava";
import type { Message } from "../lib/cri.ts";
import { FakeRegistry } from "../lib/fake-registry.ts";
import { TestNode } from "../lib/node.ts";
import { makeImage } from "../lib/oci-image.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

interface Image {
  readonly id: string;
  readonly repo_tags: readonly string[];
  readonly repo_digests: readonly string[];
  readonly size: string;
  readonly pinned: boolean;
}

const pull = async (image: string, more: Message = {}): Promise<string> =>
  (await node().cri.call<{ image_ref: string }>("PullImage", { image: { image }, ...more })).image_ref;

const imageStatus = async (image: string): Promise<Image | null> =>
  (await node().cri.call<{ image: Image | null }>("ImageStatus", { image: { image } })).image;

test("a pull, an image, and a container in both of its forms name the image by one id", async (t) => {
  const id = await pull(node().image);
  t.is((await imageStatus(node().image))?.id, id);
  t.is((await imageStatus(id))?.id, id);
  const { images } = await node().cri.call<{ images: readonly Image[] }>("ListImages", { filter: { image: { image: id } } });
  t.deepEqual(
    images.map((image) => image.id),
    [id],
  );
  const pod = await Pod.run(node());
  const wanted = { user_specified_image: node().image };
  const container = await pod.create("one", ["true"], { image: { image: id, ...wanted } });
  const { containers } = await node().cri.call<{ containers: readonly Message[] }>("ListContainers", { filter: { id: container.id } });
  const { status } = await node().cri.call<{ status: Message }>("ContainerStatus", { container_id: container.id });
  for (const each of [containers[0], status]) t.like(each, { image_id: id, image_ref: id, image: wanted });
  await pod.remove();
});

test("an image that is not here is an empty answer, and removing it succeeds", async (t) => {
  const answer = await node().cri.call<Message>("ImageStatus", { image: { image: "nobody/has:this" }, verbose: true });
  t.deepEqual(answer, { image: null, info: {} });
  t.deepEqual(await node().cri.call("RemoveImage", { image: { image: "nobody/has:this" } }), {});
});

test("an image goes with all its tags when it is removed by one of them", async (t) => {
  const image = makeImage({ layers: [{ "two-tags.txt": "two tags" }] });
  const name = `${node().registry.address}/test/tagged`;
  for (const tag of ["1", "2"]) {
    await node().registry.push("test/tagged", tag, image);
    t.is(await pull(`${name}:${tag}`), image.id);
  }
  const here = await imageStatus(image.id);
  t.like(here, { repo_tags: [`${name}:1`, `${name}:2`], repo_digests: [`${name}@${image.manifest.digest}`], pinned: false });
  t.true(Number(here?.size) > 0);
  await node().cri.call("RemoveImage", { image: { image: `${name}:1` } });
  for (const left of [`${name}:1`, `${name}:2`, image.id]) t.is(await imageStatus(left), null, left);
});

const BASIC = Buffer.from("ci:secret").toString("base64");

/** Takes the credentials of one form, and the token that its own token server gives for them. */
function askFor(registry: FakeRegistry, scheme: "Basic" | "Bearer") {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const shown = request.headers.authorization;
    if (request.url?.startsWith("/token") === true) {
      let form = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        form += text;
      });
      request.on("end", () => {
        const known = shown === `Basic ${BASIC}` || form.includes("refresh_token=identity");
        response.writeHead(known ? 200 : 401).end(known ? '{"token":"good"}' : "");
      });
      return true;
    }
    if (shown === (scheme === "Basic" ? `Basic ${BASIC}` : "Bearer good")) return false;
    const realm = scheme === "Basic" ? 'Basic realm="private"' : `Bearer realm="http://${registry.address}/token",service="private"`;
    response.writeHead(401, { "www-authenticate": realm }).end();
    return true;
  };
}

const FORMS = [
  ["a name and a password", "Basic", { username: "ci", password: "secret" }],
  ["a name and a password, for a token", "Bearer", { username: "ci", password: "secret" }],
  ["both in base64", "Basic", { auth: BASIC }],
  ["both in base64, for a token", "Bearer", { auth: BASIC }],
  ["an identity token", "Bearer", { identity_token: "identity" }],
  ["a registry token", "Bearer", { registry_token: "good" }],
] as const;

for (const [form, scheme, auth] of FORMS) {
  test(`${form} opens a private registry, and another server's do not`, async (t) => {
    const registry = await FakeRegistry.start(t);
    const image = makeImage({ layers: [{ "form.txt": form }] });
    registry.add("private/app", "1", image);
    registry.intercept = askFor(registry, scheme);
    const name = `${registry.address}/private/app:1`;
    await t.throwsAsync(pull(name), { message: /credentials/ });
    await t.throwsAsync(pull(name, { auth: { ...auth, server_address: "https://elsewhere.example" } }), { message: /credentials/ });
    t.is(await pull(name, { auth: { ...auth, server_address: `http://${registry.address}` } }), image.id);
    await node().cri.call("RemoveImage", { image: { image: image.id } });
    t.is(await pull(name, { auth }), image.id);
  });
}
