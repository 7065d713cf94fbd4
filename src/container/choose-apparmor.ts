// Which AppArmor profile a container runs under.
import { AgentError } from "../base/errors.ts";
import type { AppArmor } from "./apparmor.ts";
import type { ContainerSecurity } from "./records.ts";

export interface ChosenProfile {
  /** undefined: unconfined */
  readonly profile: string | undefined;
  readonly warnings: readonly string[];
}

/** @throws AgentError failed-precondition when a profile that was named can't be set */
export async function chooseAppArmor({ appArmor: choice, privileged }: ContainerSecurity, host: AppArmor): Promise<ChosenProfile> {
  const none = { profile: undefined, warnings: [] };
  if (choice === undefined || choice.kind === "unconfined") return none;
  if (choice.kind === "localhost") {
    const problem = await host.problem();
    const refuse = (why: string): AgentError => new AgentError("failed-precondition", `find AppArmor profile ${choice.profile}: ${why}`);
    if (problem !== undefined) throw refuse(problem);
    if (!(await host.isLoaded(choice.profile))) throw refuse("it is not loaded on this node");
    return { profile: choice.profile, warnings: [] };
  }
  // A privileged container is confined by nothing that it has not asked for by name.
  if (privileged) return none;
  const problem = await host.defaultProblem();
  if (problem === undefined) return { profile: await host.ensureDefault(), warnings: [] };
  return choice.asked ? { profile: undefined, warnings: [`apparmor: no profile is set: ${problem}`] } : none;
}
