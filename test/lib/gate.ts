/** Something that a test lets happen when it wants. */
export interface Gate {
  /** resolves when somebody has come to it */
  readonly reached: Promise<void>;
  readonly pass: () => Promise<void>;
  readonly open: () => void;
}

export function gate(): Gate {
  const [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  return {
    reached: reached.promise,
    pass: async () => {
      reached.resolve();
      await opened.promise;
    },
    open: () => opened.resolve(),
  };
}
