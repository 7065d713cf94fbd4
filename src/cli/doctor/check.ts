// One verdict, with what to do about it.

export interface Check {
  readonly check: string;
  readonly verdict: "ok" | "warning" | "error";
  readonly found: string;
  /** what to do about it, or what follows; "" for nothing */
  readonly advice: string;
}

export const ok = (check: string, found: string): Check => ({ check, verdict: "ok", found, advice: "" });
export const warning = (check: string, found: string, advice: string): Check => ({ check, verdict: "warning", found, advice });
export const error = (check: string, found: string, advice: string): Check => ({ check, verdict: "error", found, advice });
