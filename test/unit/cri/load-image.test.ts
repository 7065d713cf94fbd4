import test from "ava";
import { InHand } from "../../../src/base/in-hand.ts";
import { loadImage } from "../../../src/cri/berth/load-image.ts";
import type { Engine } from "../../../src/cri/engine.ts";
import { temporaryFolder } from "../../lib/image-service.ts";

test("the archive of a caller who goes away while it is taken apart is given up", async (t) => {
  const caller = new AbortController();
  const uploadDir = await temporaryFolder(t);
  const images = {
    loadArchive: (_: string, signal: AbortSignal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
        caller.abort(new Error("gone"));
      }),
  };
  const engine = { diskProblem: async () => undefined, uploadDir, inHand: new InHand(), images } as unknown as Engine;
  async function* pieces() {
    yield { data: Buffer.from("an archive") };
  }
  await t.throwsAsync(loadImage(engine, pieces(), { signal: caller.signal }), { message: "gone" });
});
