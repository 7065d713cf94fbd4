// A change of records that takes effect with `Store.commit`.
import type { RowChange } from "./messages.ts";

export interface Change {
  readonly row: RowChange;
  /** runs when it is durable */
  readonly publish: () => void;
}
