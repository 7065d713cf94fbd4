// What a person can ask of the bench, as environment variables.

const PEERS = ["berth+crun", "berth+runc", "berth+direct", "containerd+runc", "containerd+crun"] as const;
const MEASURES = ["pods", "load", "pull", "logs", "restart"] as const;
export type MeasureName = (typeof MEASURES)[number];

export interface Settings {
  /** as they were asked for: the first of Berth's is the one that is compared */
  readonly peers: readonly string[];
  readonly measures: readonly MeasureName[];
  /** undisturbed rounds of one pod */
  readonly rounds: number;
  /** how many times as many are run at most, until that many were undisturbed */
  readonly factor: number;
  readonly workers: number;
  readonly pods: number;
  /** of the first of Berth's alone */
  readonly mostPods: number;
  readonly pullRounds: number;
  /** as skopeo names it; empty: one is made */
  readonly image: string;
  /** after it no round begins */
  readonly minutes: number;
}

/** @throws when one of them makes no sense */
export function settingsOf(environment: Readonly<Record<string, string | undefined>>): Settings {
  const text = (name: string): string => environment[name] ?? "";
  const count = (name: string, otherwise: number): number => {
    const value = text(name) === "" ? otherwise : Number(text(name));
    if (!Number.isInteger(value) || value < 1) throw new Error(`${name}=${text(name)} is no whole number from 1 on`);
    return value;
  };
  const some = <T extends string>(name: string, all: readonly T[]): readonly T[] => {
    const named = new Set(text(name).split(",").filter(Boolean));
    const wanted = [...named].map((each) => {
      const known = all.find((one) => one === each);
      if (known === undefined) throw new Error(`${name}: ${each} is none of ${all.join(", ")}`);
      return known;
    });
    return wanted.length === 0 ? all : wanted;
  };
  return {
    peers: some("PEERS", PEERS),
    measures: some("MEASURES", MEASURES),
    rounds: count("ROUNDS", 50),
    factor: count("FACTOR", 2),
    workers: count("WORKERS", 8),
    pods: count("PODS", 100),
    mostPods: count("MOST_PODS", 500),
    pullRounds: count("PULL_ROUNDS", 3),
    image: text("IMAGE"),
    minutes: count("MINUTES", 15),
  };
}
