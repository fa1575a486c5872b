import { CommandFactory } from 'nest-commander';
import { CliModule } from '../../src/cli/cli.module';
import type { Command } from '../../src/cli/program';

/** The commands as they are registered, in this process. What cannot be parsed throws, and nothing is printed. */
export async function cliProgram(): Promise<Command> {
  const app = await CommandFactory.createWithoutRunning(CliModule, { logger: false, enablePositionalOptions: true });
  const { program } = app.get(CliModule);
  await app.close();
  for (const command of [program, ...allCommands(program)]) {
    command.exitOverride();
    command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  }
  return program;
}

/** Every command beneath, those above first. */
export function allCommands(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...allCommands(one)]);
}

export function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();
}

/** What a command prints for --help. */
export function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

/** The words of a line, as a shell would take them. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? '');
}
