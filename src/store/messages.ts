// What the store and its worker thread say to each other.

/** One change of one record: its new text, or undefined to delete it. */
export interface RowChange {
  readonly kind: string;
  readonly id: string;
  readonly text: string | undefined;
}

export interface Row {
  readonly kind: string;
  readonly id: string;
  readonly text: string;
}

/** Changes that are made all or none. */
export interface RowCommit {
  readonly rows: readonly RowChange[];
  /** whether the disk must have room for what comes after it; a stop must not depend on that */
  readonly isNew: boolean;
}

/** Why a commit was not made. */
export interface CommitFailure {
  readonly message: string;
  readonly isFull: boolean;
}

export type WorkerRequest =
  | { readonly type: "open"; readonly path: string }
  | { readonly type: "commit"; readonly commits: readonly RowCommit[] }
  | { readonly type: "close" };

export type WorkerReply =
  | { readonly type: "opened"; readonly rows: readonly Row[] }
  /** one for each commit that was asked for; undefined: it is durable */
  | { readonly type: "committed"; readonly failures: readonly (CommitFailure | undefined)[] }
  | { readonly type: "closed" }
  | { readonly type: "failed"; readonly message: string };
