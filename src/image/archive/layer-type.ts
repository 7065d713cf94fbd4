import { Compression } from "../../generated/berth/native/helper.ts";
import { compressionOf } from "./archive-folder.ts";

const LAYER_TYPE: Readonly<Partial<Record<Compression, string>>> = {
  [Compression.COMPRESSION_NONE]: "application/vnd.oci.image.layer.v1.tar",
  [Compression.COMPRESSION_GZIP]: "application/vnd.oci.image.layer.v1.tar+gzip",
  [Compression.COMPRESSION_ZSTD]: "application/vnd.oci.image.layer.v1.tar+zstd",
};

/** The media type of a packed layer that nobody has announced. */
export const layerTypeOf = async (path: string): Promise<string> => LAYER_TYPE[await compressionOf(path)] ?? "";
