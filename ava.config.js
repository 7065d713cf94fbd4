// Unit tests: no root, no kernel objects, all files at once.
export default {
  files: ["test/unit/**/*.test.ts"],
  extensions: ["ts"],
  timeout: "60s",
};
