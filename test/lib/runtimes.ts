// OCI runtimes that tests run containers with.

/** By handler. */
export const RUNTIMES = ["crun", "runc", "direct"] as const;

/** What the whole suite runs with where a test names none; the node's own default otherwise. */
export const DEFAULT_RUNTIME = process.env["BERTH_TEST_RUNTIME"] ?? "";
