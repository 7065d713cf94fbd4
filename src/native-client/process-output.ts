// Output of a process in a shim's message, where it stands: the generated code would copy it.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { ShimStream } from "../generated/berth/native/shim.ts";

/** ShimResponse.exec_output, and within it ShimExecOutput.stream and .data. */
const FIELD = { output: 6, stream: 1, data: 2 } as const;

/** @returns undefined for a message that tells something else */
export function outputIn(message: Uint8Array): { readonly stream: number; readonly data: Uint8Array } | undefined {
  const reader = new BinaryReader(message);
  let stream: ShimStream | number = 0;
  let data: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== FIELD.output) {
      reader.skip(wireType);
      continue;
    }
    data ??= new Uint8Array();
    for (const end = reader.uint32() + reader.pos; reader.pos < end; ) {
      const [inner, innerType] = reader.tag();
      if (inner === FIELD.stream) stream = reader.int32();
      else if (inner === FIELD.data) data = reader.bytes();
      else reader.skip(innerType);
    }
  }
  return data === undefined ? undefined : { stream, data };
}
