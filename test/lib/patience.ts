/**
 * How many times longer than on an idle machine things may take: 1, or what the test machine's emulated processors have measured.
 * Every deadline of the tests' own is multiplied by it, none of Berth's.
 */
export const PATIENCE = Number(process.env["TEST_PATIENCE"] ?? 1);
