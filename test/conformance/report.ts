// What a report of ginkgo, the runner below critest, comes to.

interface Spec {
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly State: string;
  /** nanoseconds; 0 for a spec that was not chosen */
  readonly RunTime: number;
  readonly Failure?: { readonly Message?: string };
}

export interface Suite {
  readonly RunTime: number;
  readonly SpecReports: readonly Spec[] | null;
}

export interface Report {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** reason → names */
  readonly skips: ReadonlyMap<string, readonly string[]>;
  readonly seconds: number;
}

/** @param suites as `-ginkgo.json-report` writes them */
export function readReport(suites: readonly Suite[]): Report {
  const failures: { name: string; message: string }[] = [];
  const skips = new Map<string, string[]>();
  let passed = 0;
  for (const spec of suites.flatMap(({ SpecReports }) => SpecReports ?? [])) {
    const message = spec.Failure?.Message ?? "";
    const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(" / ").replaceAll("[k8s.io] ", "");
    const isSpec = spec.LeafNodeType === "It";
    if (spec.State === "passed") passed += isSpec ? 1 : 0;
    else if (spec.State === "skipped" || spec.State === "pending") {
      const [reason = ""] = message.split("\n");
      if (isSpec && reason !== "") skips.set(anyId(reason), [...(skips.get(anyId(reason)) ?? []), name]);
    } else failures.push({ name: isSpec ? name : spec.LeafNodeType, message: `${spec.State}: ${oneLine(message)}` });
  }
  return { passed, failures, skips, seconds: suites.reduce((sum, { RunTime }) => sum + RunTime, 0) / 1e9 };
}

export function reportText({ passed, failures, skips, seconds }: Report): string {
  const skipped = [...skips.values()].flat().length;
  return [
    `${passed} passed, ${failures.length} failed, ${skipped} skipped in ${Math.round(seconds)} s`,
    ...failures.map(({ name, message }) => `  failed: ${name}: ${message}`),
    ...[...skips].map(([reason, names]) => `  skipped ${names.length}: ${reason.slice(0, 160)}`),
  ].join("\n");
}

const anyId = (text: string): string => text.replaceAll(/\b[0-9a-f]{64}\b/g, "…");
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 400);
