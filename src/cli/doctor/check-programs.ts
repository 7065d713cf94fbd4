// Programs that a node runs.
import { type Check, error, ok, warning } from "./check.ts";
import type { Facts, NodeSettings, Program } from "./facts.ts";

export function checkPrograms(facts: Facts, { runtime, checkpoints }: NodeSettings): Check[] {
  const { nft, nftProblem, runtimes, missingPrograms } = facts;
  return [nftables(nft, nftProblem), ociRuntime(runtimes, runtime), own(missingPrograms), criu(facts, checkpoints)];
}

function nftables(nft: Program, problem: string): Check {
  if (nft.path === undefined) return error("nftables", "nft is not installed", "pods would have no network: apt-get install nftables");
  if (problem !== "") return error("nftables", problem, "take a kernel with nf_tables, and root");
  return ok("nftables", nft.version || nft.path);
}

function ociRuntime(runtimes: readonly Program[], wanted: string): Check {
  const there = runtimes.filter(({ path }) => path !== undefined);
  const words = there.map(({ name, version }) => version || name).join("; ");
  if (wanted !== "" && !there.some(({ name, path }) => name === wanted || path === wanted))
    return error("OCI runtime", `${wanted} is not there`, "set `runtime` to a program that is");
  if (wanted === "" && !there.some(({ name }) => name === "crun" || name === "runc"))
    return error("OCI runtime", "neither crun nor runc is installed", "apt-get install crun");
  return ok("OCI runtime", words);
}

function criu({ criu: { path, version }, criuProblem }: Facts, isWanted: boolean): Check {
  if (!isWanted) return ok("CRIU", "not needed: `checkpoints` is false");
  if (path === undefined) return warning("CRIU", "criu is not installed", "no checkpoint can be made: apt-get install criu");
  if (criuProblem !== "") return warning("CRIU", criuProblem, "no checkpoint can be made: `criu check` says more");
  return ok("CRIU", version || path);
}

const own = (missing: readonly string[]): Check =>
  missing.length === 0
    ? ok("programs of Berth", "there")
    : warning("programs of Berth", `without ${missing.join(", ")}`, "install them beside berthd, or set `helper` and `shim`");
