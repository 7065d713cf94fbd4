// The AppArmor profile of a container: the field, or the deprecated text, which counts only where the field is absent.
import { AgentError } from "../../base/errors.ts";
import type { AppArmorChoice } from "../../container/records.ts";
import {
  type LinuxContainerSecurityContext,
  type SecurityProfile,
  SecurityProfile_ProfileType,
} from "../../generated/cri/runtime/v1/api.ts";

const LOCALHOST = "localhost/";

export function toAppArmor(security: LinuxContainerSecurityContext | undefined): AppArmorChoice {
  if (security?.apparmor !== undefined) return ofProfile(security.apparmor);
  const text = security?.apparmorProfile ?? "";
  if (text === "" || text === "runtime/default") return { kind: "runtime-default", asked: text !== "" };
  if (text === "unconfined") return { kind: "unconfined" };
  if (!text.startsWith(LOCALHOST)) throw invalid(`apparmor_profile ${JSON.stringify(text)} is not known`);
  return localhost(text);
}

function ofProfile({ profileType, localhostRef }: SecurityProfile): AppArmorChoice {
  if (profileType === SecurityProfile_ProfileType.RuntimeDefault) return { kind: "runtime-default", asked: true };
  if (profileType === SecurityProfile_ProfileType.Unconfined) return { kind: "unconfined" };
  if (profileType === SecurityProfile_ProfileType.Localhost) return localhost(localhostRef);
  throw invalid(`AppArmor profile type ${profileType} is not known`);
}

/** Callers write the name with and without the prefix of the deprecated text. */
function localhost(text: string): AppArmorChoice {
  const profile = text.startsWith(LOCALHOST) ? text.slice(LOCALHOST.length) : text;
  if (profile === "" || /[\0\n]/.test(profile)) throw invalid(`AppArmor profile ${JSON.stringify(text)} is no name`);
  return { kind: "localhost", profile };
}

const invalid = (message: string): AgentError => new AgentError("invalid-argument", `read container config: ${message}`);
