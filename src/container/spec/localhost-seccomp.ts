// The seccomp profile that a container names by a path of the node. It is read once, when the container is created: a later change
// of the file does not matter, and a restart does not need it.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { release } from "node:os";
import { AgentError, messageOf } from "../../base/errors.ts";
import type { ContainerSecurity } from "../records.ts";
import { processCapabilities } from "./capabilities.ts";
import type { OciSeccomp } from "./oci.ts";
import { seccompChoice } from "./seccomp.ts";
import { resolveSeccompProfile } from "./seccomp-profile.ts";

const MAX_PROFILE_BYTES = 1024 * 1024;

/**
 * @param available capabilities of the node
 * @returns undefined when no file is asked for
 * @throws AgentError invalid-argument, also when the file is not there
 */
export async function localhostSeccomp(security: ContainerSecurity, available: ReadonlySet<string>): Promise<OciSeccomp | undefined> {
  const choice = seccompChoice(security);
  if (choice.kind !== "localhost") return undefined;
  const capabilities = processCapabilities(security, available).bounding;
  const bytes = await readProfile(choice.path);
  return resolveSeccompProfile(bytes, choice.path, { arch: process.arch, kernelRelease: release(), capabilities });
}

async function readProfile(path: string): Promise<Uint8Array> {
  const refuse = (why: string, cause?: unknown): AgentError =>
    new AgentError("invalid-argument", `read seccomp profile ${path}: ${why}`, { cause });
  // Nobody need be at the other end of a pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY).catch((cause: unknown) => {
    throw refuse(messageOf(cause), cause);
  });
  try {
    if (!(await file.stat()).isFile()) throw refuse("it is no regular file");
    const bytes = Buffer.alloc(MAX_PROFILE_BYTES + 1);
    for (let length = 0; length < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) return bytes.subarray(0, length);
      length += bytesRead;
    }
    throw refuse(`it is over ${MAX_PROFILE_BYTES} bytes`);
  } finally {
    await file.close();
  }
}
