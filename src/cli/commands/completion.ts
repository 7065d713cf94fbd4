import { Argument, type Command } from "commander";
import { completionScript, type Shell, SHELLS } from "../completion-script.ts";
import { completionSpecs } from "../completion-spec.ts";
import { examples } from "../options.ts";
import type { Session } from "../session.ts";

export function addCompletion(program: Command, session: Session): Command {
  const command = program
    .command("completion")
    .description("print a script that completes commands, options and names in a shell")
    .addArgument(new Argument("<shell>", "that reads the script").choices(SHELLS))
    .action((shell: Shell) => session.print(completionScript(shell, completionSpecs(program))));
  return examples(command, "source <(berth completion bash)", "berth completion zsh > /usr/local/share/zsh/site-functions/_berth");
}
