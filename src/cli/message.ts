// Messages of the generated clients have no optional fields; this fills in what a request leaves out.

interface MessageType<T> {
  readonly decode: (bytes: Uint8Array) => T;
}

const NO_BYTES = new Uint8Array();

/** A message with these fields, and the others at their zero values: what an empty message decodes to. */
export function message<T extends object>(type: MessageType<T>, fields: Partial<T>): T {
  return { ...type.decode(NO_BYTES), ...fields };
}
