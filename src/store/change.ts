// A change of records that takes effect with `Store.commit`.
import type { RowChange } from "./messages.ts";

export interface Change {
  readonly row: RowChange;
  /** What is recorded together with it; asked for just before both are written. */
  readonly along?: () => readonly Change[];
  /** runs when it is written */
  readonly publish: () => void;
}
