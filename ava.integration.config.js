// Tests with real kernel objects: as root, one after the other. test/run.ts gives them namespaces of their own.
export default {
  files: ["test/integration/**/*.test.ts"],
  extensions: ["ts"],
  concurrency: 1,
  serial: true,
  workerThreads: false,
  timeout: "120s",
};
