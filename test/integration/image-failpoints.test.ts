// berthd killed between the records of an image and its files: a few of the moments that `make campaign CAMPAIGN=image-failpoints` has all of.
import test from "ava";
import { sweepImages } from "../crash/sweep-images.ts";
import { TestNode } from "../lib/node.ts";

test("berthd is killed while an image is brought and removed: it is there or it is not, whole, and nothing of it is left", async (t) => {
  const moments = ["wrote part of blob file", "committed blob#3", "removed blob file"];
  t.log(await sweepImages(await TestNode.start(t), (line) => t.log(line), moments));
  t.pass();
});
