// Prints the native protocol as it is promised from now on: node test/upgrade/pin-protocol.ts > test/upgrade/protocol-1.txt
import { wireShape } from "./wire-shape.ts";

process.stdout.write(`${wireShape().join("\n")}\n`);
