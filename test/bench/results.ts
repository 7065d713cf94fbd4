// What was measured, of whom.

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly ofPeer: ReadonlyMap<string, number>;
}

export interface Failure {
  readonly peer: string;
  readonly measure: string;
  readonly reason: string;
}

export class Results {
  readonly #measures = new Map<string, { readonly unit: string; readonly ofPeer: Map<string, number> }>();
  readonly failures: Failure[] = [];
  readonly notes: string[] = [];

  add(peer: string, name: string, unit: string, value: number): void {
    const measure = this.#measures.get(name) ?? { unit, ofPeer: new Map() };
    measure.ofPeer.set(peer, value);
    this.#measures.set(name, measure);
  }

  fail(peer: string, measure: string, failure: unknown): void {
    this.failures.push({ peer, measure, reason: failure instanceof Error ? failure.message : String(failure) });
  }

  /** In the order in which they were first measured. */
  measures(): readonly Measure[] {
    return [...this.#measures].map(([name, { unit, ofPeer }]) => ({ name, unit, ofPeer }));
  }
}
