// What of the node `berth run` puts into a container: -v, --mount, --device. Pure.
import { UsageError } from "./failure.ts";

const PROPAGATIONS = ["private", "rslave", "rshared"] as const;
type Propagation = (typeof PROPAGATIONS)[number];

export interface Volume {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readonly: boolean;
  readonly propagation: Propagation;
}

/** "HOST:CONTAINER[:OPTIONS]", with options of ro, rw, private, rslave and rshared between commas. @throws UsageError */
export function parseVolume(text: string): Volume {
  const [hostPath = "", containerPath = "", options = "rw", ...rest] = text.split(":");
  const words = options.split(",");
  const known = words.every((word) => ["ro", "rw", ...PROPAGATIONS].includes(word)) && !(words.includes("ro") && words.includes("rw"));
  if (!hostPath.startsWith("/") || !containerPath.startsWith("/") || !known || rest.length > 0)
    throw new UsageError(`${JSON.stringify(text)} is not HOST:CONTAINER or HOST:CONTAINER:ro, with absolute paths`);
  return { hostPath, containerPath, readonly: words.includes("ro"), propagation: propagationOf(words) };
}

/** "type=bind,source=HOST,target=CONTAINER[,readonly][,bind-propagation=rslave]". @throws UsageError */
export function parseMount(text: string): Volume {
  const fields = new Map(text.split(",").map((field) => [field.split("=")[0] ?? "", field.split("=").slice(1).join("=")]));
  const take = (...names: string[]): string | undefined => {
    const given = names.filter((name) => fields.has(name));
    const value = fields.get(given[0] ?? "");
    for (const name of given) fields.delete(name);
    return value;
  };
  const type = take("type") ?? "bind";
  const hostPath = take("source", "src") ?? "";
  const containerPath = take("target", "destination", "dst") ?? "";
  const readonly = take("readonly", "ro");
  const propagation = take("bind-propagation") ?? "private";
  if (type !== "bind") throw new UsageError(`${JSON.stringify(text)}: the only type of mount that is offered is bind`);
  const known =
    fields.size === 0 && PROPAGATIONS.includes(propagation as Propagation) && ["", "true", "false", undefined].includes(readonly);
  if (!hostPath.startsWith("/") || !containerPath.startsWith("/") || !known)
    throw new UsageError(
      `${JSON.stringify(text)} is not source=HOST,target=CONTAINER[,readonly][,bind-propagation=rslave], with absolute paths`,
    );
  return { hostPath, containerPath, readonly: readonly === "" || readonly === "true", propagation: propagationOf([propagation]) };
}

const propagationOf = (words: readonly string[]): Propagation => PROPAGATIONS.find((each) => words.includes(each)) ?? "private";

export interface DeviceChoice {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

/** "HOST[:CONTAINER][:rwm]". @throws UsageError */
export function parseDevice(text: string): DeviceChoice {
  const [hostPath = "", second = hostPath, third, ...rest] = text.split(":");
  const isPermissions = (word: string): boolean => /^[rwm]{1,3}$/.test(word);
  const containerPath = third === undefined && isPermissions(second) ? hostPath : second;
  const permissions = third ?? (isPermissions(second) ? second : "rwm");
  if (!hostPath.startsWith("/") || !containerPath.startsWith("/") || !isPermissions(permissions) || rest.length > 0)
    throw new UsageError(`${JSON.stringify(text)} is not HOST[:CONTAINER][:rwm], with absolute paths`);
  return { hostPath, containerPath, permissions };
}
