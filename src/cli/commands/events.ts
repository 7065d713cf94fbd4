import type { Command } from "commander";
import { BerthService as Berth } from "../../generated/berth/v1/berth.ts";
import { eventLine } from "../event-line.ts";
import { UsageError } from "../failure.ts";
import { Interrupts } from "../interrupts.ts";
import { examples, type FormatOptions, formatOption } from "../options.ts";
import type { Session } from "../session.ts";

interface EventsOptions extends FormatOptions {
  readonly follow?: boolean;
  readonly since?: string;
}

export function addEvents(program: Command, session: Session): Command {
  const command = program
    .command("events")
    .description("print what happens to pods and containers, a line an event")
    .option("-f, --follow", "go on with what happens from now on, until Ctrl-C")
    .option("--since <cursor>", "what has happened after this event; -o json tells an event's cursor")
    .addOption(formatOption())
    .action((options: EventsOptions) => printEvents(session, options));
  return examples(command, "berth events -f", "berth events -f -o json", "berth events --since 1f0c9a52-17");
}

async function printEvents(session: Session, { follow, since, output }: EventsOptions): Promise<void> {
  if (!follow && !since)
    throw new UsageError("there is nothing to show without -f, which goes on from now, or --since, which begins at a cursor");
  using interrupts = new Interrupts(session.world);
  const request = { cursor: since ?? "", follow: follow === true };
  await session.node.listen(Berth.events, request, (event) => session.print(eventLine(event, output)), interrupts.first);
}
