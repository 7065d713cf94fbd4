// Which rounds count. Other processes of the machine slow a round down by chance, so rounds go on until enough were undisturbed, and the
// quietest are kept. Nobody chooses by how fast a round was.

export interface Round<T> {
  /** processors that processes outside of the bench used during it, 0.25 being a quarter of one */
  readonly othersCpus: number;
  readonly result: T;
}

export interface RoundsWanted {
  readonly undisturbed: number;
  /** then it is over, however disturbed they were */
  readonly most: number;
}

const DISTURBED_CPUS = 0.3;

export const undisturbed = (rounds: readonly Round<unknown>[]): number =>
  rounds.filter(({ othersCpus }) => othersCpus < DISTURBED_CPUS).length;

export const isEnough = (rounds: readonly Round<unknown>[], wanted: RoundsWanted): boolean =>
  undisturbed(rounds) >= wanted.undisturbed || rounds.length >= wanted.most;

export const quietest = <T>(rounds: readonly Round<T>[], count: number): readonly Round<T>[] =>
  rounds.toSorted((a, b) => a.othersCpus - b.othersCpus).slice(0, count);
