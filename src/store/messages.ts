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

export interface CommitOptions {
  /** whether the disk must have room for what comes after it; a stop must not depend on that */
  readonly isNew: boolean;
  /** whether it has to outlive a power cut, and so waits for the disk */
  readonly isSynced: boolean;
}

/** Changes that are made all or none. */
export interface RowCommit extends CommitOptions {
  readonly rows: readonly RowChange[];
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
  /** one for each commit that was asked for; undefined: it was made */
  | { readonly type: "committed"; readonly failures: readonly (CommitFailure | undefined)[] }
  | { readonly type: "closed" }
  | { readonly type: "failed"; readonly message: string };
