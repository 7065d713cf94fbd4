import packageJson from "../../package.json" with { type: "json" };

/** Of the build. */
export const VERSION: string = packageJson.version;
