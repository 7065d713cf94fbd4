// Questions to the person at the terminal, who answers with a line.
import { AgentError } from "../base/errors.ts";
import { UsageError } from "./failure.ts";
import type { Session, World } from "./session.ts";

const CTRL_C = "\u0003";
const ENDS = ["\n", "\r", "\u0004"];
const ERASES = ["\b", "\u007f"];

/** @throws UsageError where nobody can answer, which says `instead` */
export async function confirm(session: Session, question: string, instead: string): Promise<boolean> {
  if (session.world.stdin.isTTY !== true) throw new UsageError(`standard input is no terminal: ${instead}`);
  return /^y(es)?$/i.test((await ask(session, `${question} [y/N] `)).trim());
}

export async function ask(session: Session, question: string): Promise<string> {
  await session.print(question, "stderr");
  return await readLine(session.world);
}

/** What is typed is not shown. */
export async function askSecret(session: Session, question: string): Promise<string> {
  const { stdin } = session.world;
  await session.print(question, "stderr");
  stdin.setRawMode?.(true);
  try {
    return await readLine(session.world);
  } finally {
    stdin.setRawMode?.(false);
    await session.print("\n", "stderr");
  }
}

/** A terminal gives a line at once, or its keys one by one where it is raw. @throws AgentError cancelled at Ctrl-C */
async function readLine({ stdin }: World): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let line = "";
  const atEnd = (): void => resolve(line);
  const take = (chunk: Buffer | string): void => {
    const keys = [...chunk.toString()];
    for (let key = keys.shift(); key !== undefined; key = keys.shift()) {
      if (key === CTRL_C) return void reject(new AgentError("cancelled", "interrupted"));
      if (ENDS.includes(key)) {
        // What was typed ahead is for the next question.
        stdin.off("data", take).pause();
        if (keys.length > 0) stdin.unshift(keys.join(""));
        return void resolve(line);
      }
      line = ERASES.includes(key) ? [...line].slice(0, -1).join("") : line + key;
    }
  };
  stdin.on("data", take).on("end", atEnd).resume();
  try {
    return await promise;
  } finally {
    stdin.off("data", take).off("end", atEnd).pause();
  }
}
