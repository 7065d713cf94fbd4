// Facts of a machine as verdicts, each with what to do about it. Pure.
import type { Check } from "./check.ts";
import type { Facts, NodeSettings } from "./facts.ts";
import { checkKernel } from "./check-kernel.ts";
import { checkPlaces } from "./check-places.ts";
import { checkPrograms } from "./check-programs.ts";
import { checkSurroundings } from "./check-surroundings.ts";

export function checkAll(facts: Facts, settings: NodeSettings): Check[] {
  return [...checkKernel(facts), ...checkPrograms(facts, settings), ...checkPlaces(facts, settings), ...checkSurroundings(facts, settings)];
}
