// Tests in the machine of test/vm.
import { filesOf } from "./test/vm/specs.ts";

export default {
  files: filesOf(process.env["TEST_BOOT"], process.env["TEST_FILES"]),
  extensions: ["ts"],
  concurrency: 1,
  serial: true,
  workerThreads: false,
  // The machine itself ends after ten minutes.
  timeout: "180s",
};
