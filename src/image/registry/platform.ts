// Which image of several is for this machine. Pure.
import { AgentError } from "../../base/errors.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string; // "v8"; "" where none is given
}

/** Names of Node to names of the OCI, with the variants that this machine can run, best first. */
const MACHINES: Readonly<Record<string, { readonly architecture: string; readonly variants: readonly string[] }>> = {
  // Higher levels of amd64 need instructions that not every machine has.
  x64: { architecture: "amd64", variants: ["", "v1"] },
  ia32: { architecture: "386", variants: [""] },
  arm64: { architecture: "arm64", variants: ["v8", ""] },
  arm: { architecture: "arm", variants: ["v7", "", "v6", "v5"] },
  ppc64: { architecture: "ppc64le", variants: [""] },
};

const machine = (arch: string) => MACHINES[arch] ?? { architecture: arch, variants: [""] };

/** The image of an index for this machine. @throws AgentError not-found, naming what there is */
export function choosePlatform<T extends { readonly platform: Platform }>(manifests: readonly T[], arch: string = process.arch): T {
  const { architecture, variants } = machine(arch);
  for (const variant of variants) {
    const found = manifests.find(
      ({ platform }) => platform.os === "linux" && platform.architecture === architecture && platform.variant === variant,
    );
    if (found !== undefined) return found;
  }
  // Before platforms were written down, an index had one image.
  const [only] = manifests;
  if (only !== undefined && manifests.length === 1 && isUnnamed(only.platform)) return only;
  const offered = manifests.map(({ platform }) =>
    [platform.os, platform.architecture, platform.variant].filter((part) => part !== "").join("/"),
  );
  throw new AgentError(
    "not-found",
    `choose image of index: none is for linux/${architecture}; there are ${offered.slice(0, 20).join(", ") || "none"}`,
  );
}

/** @throws AgentError not-found for an image of another machine; one that names none is taken for ours */
export function checkPlatform(image: Pick<Platform, "os" | "architecture">, arch: string = process.arch): void {
  const { architecture } = machine(arch);
  if ((image.os === "" || image.os === "linux") && (image.architecture === "" || image.architecture === architecture)) return;
  throw new AgentError("not-found", `choose image: it is for ${image.os}/${image.architecture}, and this machine is linux/${architecture}`);
}

/** Whether an index says of an image that it is not for this machine. */
export function isOtherPlatform(platform: Platform, arch: string = process.arch): boolean {
  const { architecture, variants } = machine(arch);
  return (
    !isUnnamed(platform) && !(platform.os === "linux" && platform.architecture === architecture && variants.includes(platform.variant))
  );
}

const isUnnamed = (platform: Platform): boolean => platform.os === "" && platform.architecture === "";
