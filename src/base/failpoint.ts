// Moments between a record and its effect at which the crash suite ends berthd. Only where berthd runs from its sources: bundles are
// made with IS_BUNDLED defined, and no variable makes them end.

declare const IS_BUNDLED: boolean | undefined;

const [wanted, passes = "1"] = typeof IS_BUNDLED === "undefined" ? (process.env["BERTH_FAILPOINT"] ?? "").split("#") : [];
let left = Number(passes);

/**
 * Ends the process as kill -9 does, when it was started with BERTH_FAILPOINT=`name`, or the third time that it comes by with
 * BERTH_FAILPOINT=`name`#3. @param name "committed sandbox"
 */
export function failpoint(name: string): void {
  if (wanted === name && --left === 0) process.kill(process.pid, "SIGKILL");
}
