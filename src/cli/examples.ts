import type { CommandRunner } from 'nest-commander';

/** The Command of the version of commander that nest-commander brings. */
export type Command = Parameters<CommandRunner['setCommand']>[0];

/** What somebody wants, and the line that does it. */
export type Example = readonly [what: string, line: string];

const noted = new WeakMap<Command, readonly Example[]>();

export function noteExamples(command: Command, examples: readonly Example[]): void {
  noted.set(command, examples);
}

export function examplesOf(command: Command): readonly Example[] {
  return noted.get(command) ?? [];
}

/** For the end of --help: lines that can be copied as they are. */
export function exampleLines(examples: readonly Example[]): string {
  if (examples.length === 0) return '';
  return ['', 'Examples:', ...examples.flatMap(([what, line]) => [`  # ${what}`, `  fraiseql-observers ${line}`])].join('\n');
}
