/** Whether an object has every label of the selector; an empty selector matches all. */
export function matchesLabels(labels: Readonly<Record<string, string>>, selector: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value);
}
