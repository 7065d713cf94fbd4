// Names of devices of the Container Device Interface: "vendor.com/class=device". Pure. @source the CDI specification, "Kind" and "Devices"
import { AgentError } from "../../base/errors.ts";

const VENDOR = /^[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const CLASS = VENDOR;
const DEVICE = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;
const MAX_PART = 253;
// By which device plugins of a kubelet ask for devices. @source CDI, "cdi.k8s.io" annotations
const ANNOTATION_PREFIX = "cdi.k8s.io/";
const MAX_DEVICES = 256;

const fits = (part: string, form: RegExp): boolean => part.length <= MAX_PART && form.test(part);

export function isKind(kind: string): boolean {
  const [vendor = "", name = "", ...rest] = kind.split("/");
  return rest.length === 0 && fits(vendor, VENDOR) && fits(name, CLASS);
}

export const isDeviceName = (name: string): boolean => fits(name, DEVICE);

export const qualifiedName = (kind: string, device: string): string => `${kind}=${device}`;

function isQualified(name: string): boolean {
  const at = name.indexOf("=");
  return at > 0 && isKind(name.slice(0, at)) && isDeviceName(name.slice(at + 1));
}

/**
 * Devices that a container asks for, each once: those of the field, then those of annotations, in the order of their keys.
 *
 * @throws AgentError invalid-argument for a name that is no qualified one
 */
export function askedDevices(names: readonly string[], annotations: Readonly<Record<string, string>>): string[] {
  const keys = Object.keys(annotations).filter((key) => key.startsWith(ANNOTATION_PREFIX));
  const annotated = keys.sort().flatMap((key) => (annotations[key] ?? "").split(",").map((name) => ({ name, from: `annotation ${key}` })));
  const asked = [...names.map((name) => ({ name, from: "CDI_devices" })), ...annotated];
  const bad = asked.find(({ name }) => !isQualified(name));
  if (bad !== undefined)
    throw new AgentError(
      "invalid-argument",
      `read container config: ${bad.from}: ${JSON.stringify(bad.name.slice(0, 300))} is no name of a CDI device, vendor.com/class=device`,
    );
  const unique = [...new Set(asked.map(({ name }) => name))];
  if (unique.length > MAX_DEVICES)
    throw new AgentError("invalid-argument", `read container config: ${unique.length} CDI devices are over ${MAX_DEVICES}`);
  return unique;
}
