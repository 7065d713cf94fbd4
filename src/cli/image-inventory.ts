// The images on the node, in the words of `find.ts`.
import { type Image, ImageFilter, ImageServiceService as Images, ImageSpec, ListImagesRequest } from "../generated/cri/runtime/v1/api.ts";
import type { NodeClient } from "./client.ts";
import type { ImageName } from "./find.ts";
import { message } from "./message.ts";

/** @param name "" lists all; else the one that the node takes it for */
export async function listImages(node: NodeClient, name = "", signal?: AbortSignal): Promise<Image[]> {
  const filter = message(ImageFilter, { image: message(ImageSpec, { image: name }) });
  return (await node.ask(Images.listImages, message(ListImagesRequest, { filter }), signal)).images;
}

/**
 * Images by their names.
 *
 * @param texts what people typed: the node knows which image a name without registry or tag stands for
 */
export async function imageNames(node: NodeClient, texts: readonly string[]): Promise<ImageName[]> {
  const asked = texts.filter((text) => text !== "");
  const [all, ...meant] = await Promise.all([listImages(node), ...asked.map((text) => listImages(node, text))]);
  const byText = meant.flatMap((images, index) => images.map((image) => ({ id: hexOf(image), name: asked[index] ?? "" })));
  // The node takes the beginning of an id too; that is no name.
  return [...all.flatMap(toNames), ...byText.filter(({ id, name }) => !id.startsWith(name.replace(/^sha256:/, "")))];
}

const hexOf = ({ id }: Image): string => id.replace(/^sha256:/, "");

function toNames(image: Image): ImageName[] {
  const names = [...image.repoTags, ...image.repoDigests];
  return (names.length > 0 ? names : [""]).map((name) => ({ id: hexOf(image), name }));
}
