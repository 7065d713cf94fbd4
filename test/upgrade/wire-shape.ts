// The native protocol as it is on the wire, a line for each field and each value of an enum.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

const protos = fileURLToPath(new URL("../../proto", import.meta.url));
const FILES = ["common", "helper", "shim"] as const;

/** "ShimExec 7 stdio: message ShimStdio", "ShimStream 1 SHIM_STREAM_STDERR" */
export function wireShape(names: readonly (typeof FILES)[number][] = FILES): string[] {
  const folder = mkdtempSync(join(tmpdir(), "berth-"));
  try {
    const set = join(folder, "set");
    const files = names.map((name) => `berth/native/${name}.proto`);
    execFileSync("protoc", [`-I${protos}`, `--descriptor_set_out=${set}`, ...files]);
    return shapeOf(readFileSync(set));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function shapeOf(descriptorSet: Uint8Array): string[] {
  const { file } = fromBinary(FileDescriptorSetSchema, descriptorSet);
  return file.flatMap(({ messageType, enumType }) => [...messageType.flatMap(ofMessage), ...enumType.flatMap(ofEnum)]).sort();
}

function ofMessage(message: DescriptorProto): string[] {
  const own = message.field.map((field) => {
    const { name, number, type, typeName, label, oneofIndex, proto3Optional } = field;
    const kind = `${FieldDescriptorProto_Type[type].toLowerCase()} ${typeName.replace(".berth.native.", "")}`.trimEnd();
    const isChoice = isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex);
    const oneof = proto3Optional ? " optional" : isChoice ? ` of ${message.oneofDecl[oneofIndex]?.name}` : "";
    return `${message.name} ${number} ${name}: ${label === FieldDescriptorProto_Label.REPEATED ? "repeated " : ""}${kind}${oneof}`;
  });
  return [...own, ...message.nestedType.flatMap((nested) => ofMessage({ ...nested, name: `${message.name}.${nested.name}` }))];
}

const ofEnum = ({ name, value }: EnumDescriptorProto): string[] => value.map((each) => `${name} ${each.number} ${each.name}`);
