// Which system calls a container may make. Pure.
import { AgentError } from "../../base/errors.ts";
import type { ContainerSecurity, SeccompChoice } from "../records.ts";
import type { OciSeccomp, OciSeccompArg, OciSyscalls } from "./oci.ts";
import {
  ALLOWED,
  ALLOWED_WITH,
  ARCHITECTURES,
  AUDIT_CAPABILITIES,
  DENIED_FAMILIES,
  NAMESPACE_FLAGS,
  PERSONALITIES,
} from "./seccomp-default.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;
const AF_NETLINK = 16;
const NETLINK_AUDIT = 9;
const INT = { bits: 32, mask: 0xffffffff };

/** What a container really gets: a record of before there were filters has none, and a privileged one takes none. */
export function seccompChoice(security: ContainerSecurity): SeccompChoice {
  return security.privileged ? { kind: "unconfined" } : (security.seccomp ?? { kind: "unconfined" });
}

/** In the words of Kubernetes: "runtime/default", "unconfined", "localhost/<path>". */
export function seccompName(security: ContainerSecurity): string {
  const choice = seccompChoice(security);
  if (choice.kind === "localhost") return `localhost/${choice.path}`;
  return choice.kind === "runtime-default" ? "runtime/default" : choice.kind;
}

/**
 * @param localhost the filter of a localhost profile
 * @param capabilities that the container's processes could ever have: the bounding set
 */
export function containerSeccomp(
  security: ContainerSecurity,
  localhost: OciSeccomp | undefined,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  const choice = seccompChoice(security);
  if (choice.kind === "unconfined") return undefined;
  if (choice.kind === "runtime-default") return defaultSeccomp(capabilities, process.arch);
  // A container is never run with less than was asked for.
  if (localhost === undefined) throw new AgentError("internal", `find seccomp profile ${choice.path}: it is not on record`);
  return localhost;
}

/**
 * The filter of RuntimeDefault: what is not allowed fails with EPERM.
 *
 * @param arch as Node names it; of one that the table lacks, only the kernel's own calls are allowed, and those of no other
 */
export function defaultSeccomp(capabilities: readonly string[], arch: string): OciSeccomp {
  const architecture = ARCHITECTURES[arch];
  const held = Object.entries(ALLOWED_WITH).filter(([capability]) => capabilities.includes(capability));
  const filter: OciSeccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    syscalls: [
      allow([...new Set([...ALLOWED, ...(architecture?.allowed ?? []), ...held.flatMap(([, names]) => names)])]),
      ...PERSONALITIES.map((persona) => allow(["personality"], [{ index: 0, value: persona, op: "SCMP_CMP_EQ" }])),
      ...socketRules(capabilities),
      ...(capabilities.includes("CAP_SYS_ADMIN") ? [] : cloneRules()),
    ],
  };
  if (architecture !== undefined) filter.architectures = [architecture.own, ...architecture.also];
  return filter;
}

const allow = (names: string[], args?: OciSeccompArg[]): OciSyscalls => ({
  names,
  action: "SCMP_ACT_ALLOW",
  ...(args === undefined ? {} : { args }),
});

const masked = (index: number, mask: number, equals: number): OciSeccompArg => ({
  index,
  value: mask,
  valueTwo: equals,
  op: "SCMP_CMP_MASKED_EQ",
});

// The flags of clone3 are in memory that a filter can't read. ENOSYS makes a C library fall back to clone; with EPERM no thread
// could be started.
function cloneRules(): OciSyscalls[] {
  return [allow(["clone"], [masked(0, NAMESPACE_FLAGS, 0)]), { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS }];
}

function socketRules(capabilities: readonly string[]): OciSyscalls[] {
  const audit = AUDIT_CAPABILITIES.some((capability) => capabilities.includes(capability));
  const allowed = allBut(audit ? DENIED_FAMILIES : [...DENIED_FAMILIES, AF_NETLINK]);
  const rules = allowed.map(({ first, mask }) => allow(["socket"], [masked(0, mask, first)]));
  if (audit) return rules;
  const netlink = masked(0, INT.mask, AF_NETLINK);
  return [
    ...rules,
    allow(["socket"], [netlink, { index: 2, value: NETLINK_AUDIT, op: "SCMP_CMP_NE" }]),
    {
      names: ["socket"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: EINVAL,
      args: [netlink, { index: 2, value: NETLINK_AUDIT, op: "SCMP_CMP_EQ" }],
    },
  ];
}

/**
 * All values of an int but some, as blocks that a masked comparison can name. A filter compares 64 bits and the kernel takes 32:
 * "more than 40" would let a family through that has a bit set above them. Rules that are true of the same value and say different
 * things have no order, so a rule for the denied ones beside one for all would not do.
 */
function allBut(denied: readonly number[], first = 0, bits = INT.bits): { first: number; mask: number }[] {
  const size = 2 ** bits;
  if (!denied.some((value) => value >= first && value < first + size)) return [{ first, mask: 2 ** INT.bits - size }];
  if (bits === 0) return [];
  return [...allBut(denied, first, bits - 1), ...allBut(denied, first + size / 2, bits - 1)];
}
