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

export type WorkerRequest =
  | { readonly type: "open"; readonly path: string }
  | { readonly type: "commit"; readonly changes: readonly RowChange[] }
  | { readonly type: "close" };

export type WorkerReply =
  | { readonly type: "opened"; readonly rows: readonly Row[] }
  | { readonly type: "done" }
  | { readonly type: "failed"; readonly message: string };
