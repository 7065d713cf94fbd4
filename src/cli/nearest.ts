// Names that somebody may have meant. Pure.
const MOST_NAMES = 3;
const LONGEST_NAME = 128;

/** Those with at most a third of the letters wrong, the nearest first; those that begin with the text are among them. */
export function nearest(text: string, names: readonly string[]): string[] {
  if (text === "" || text.length > LONGEST_NAME) return [];
  const most = Math.max(1, Math.floor(text.length / 3));
  const known = [...new Set(names)].filter((name) => name !== "" && name.length <= LONGEST_NAME);
  const ranked = known.map((name) => ({ name, wrong: name.startsWith(text) ? 0 : distance(text, name) }));
  const near = ranked.filter(({ wrong }) => wrong <= most).sort((a, b) => a.wrong - b.wrong || (a.name < b.name ? -1 : 1));
  return near.slice(0, MOST_NAMES).map(({ name }) => name);
}

/** "; is it web or web-2?", or nothing. */
export function suggestion(text: string, names: readonly string[]): string {
  const near = nearest(text, names);
  return near.length === 0 ? "" : `; is it ${near.join(" or ")}?`;
}

/** How many letters to change, add or take away; two that changed places are one. @source Damerau, optimal string alignment */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const [above, twoAbove] = [rows[i - 1] ?? [], rows[i - 2] ?? []];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (twoAbove[j - 2] ?? 0) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) ?? 0;
}
