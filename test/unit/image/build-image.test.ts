import test from "ava";
import { FakeHelper } from "../../lib/fake-helper.ts";
import { FakeRegistry } from "../../lib/fake-registry.ts";
import { ImageNode, never } from "../../lib/image-service.ts";
import { descriptorOf, jsonBlob, makeImage, OCI_CONFIG } from "../../lib/oci-image.ts";

test("an image keeps how it was made, and how large its layers are unpacked, also over a restart", async (t) => {
  const plain = makeImage({ layers: [{ a: "1" }, { b: "2".repeat(2000) }] });
  const history = [{ created_by: "one", created: "2030-01-02T03:04:05Z" }, { created_by: "env", empty_layer: true }, { created_by: "two" }];
  const config = jsonBlob({ ...JSON.parse(plain.config.bytes.toString()), history });
  const manifest = jsonBlob({ ...JSON.parse(plain.manifest.bytes.toString()), config: descriptorOf(OCI_CONFIG, config) });
  const registry = await FakeRegistry.start(t);
  registry.add("app", "1", { ...plain, id: config.digest, config, manifest });
  const node = await ImageNode.start(t, new FakeHelper());
  const made = await node.images.pull(`${registry.address}/app:1`, undefined, never);
  t.deepEqual(
    made.history?.map(({ createdBy, emptyLayer }) => [createdBy, emptyLayer]),
    [
      ["one", false],
      ["env", true],
      ["two", false],
    ],
  );
  // Of the fake helper: what the tar has.
  t.deepEqual(
    made.layers.map(({ unpackedBytes }) => unpackedBytes),
    [2048n, 3584n],
  );
  await node.restart();
  t.deepEqual(node.images.get(made.id), made);
});
