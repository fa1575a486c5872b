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

const FIRST_STEPS: readonly Example[] = [
  ['see it work, with a database of its own', 'start --demo'],
  ['a file to begin with, and whether it is right', 'init'],
  ['prepare the database', 'migrate'],
  ['what is going on', 'status'],
  ['why something did not happen', 'why --entity Order --key 5'],
];

const EXIT_CODES = 'Exit codes: 0 ok, 1 error, 2 configuration, 3 connection, 4 validation failed, 5 not found';

/** What the whole program has, once all commands are there. */
export function completeProgram(program: Command): void {
  // The name that people type, also where the program is run as `node dist/src/main.js`.
  program.name('fraiseql-observers').addHelpText('after', () => `${exampleLines(FIRST_STEPS)}\n\n${EXIT_CODES}`);
  checkChoices(program);
  takeGlobalOptions(program);
  refuseExcess(program);
}

/** An option's own parser takes the place of commander's, which is what knows the choices. */
function checkChoices(parent: Command): void {
  for (const option of parent.options) {
    const { argChoices, parseArg } = option;
    if (argChoices === undefined) continue;
    option.argParser((value: string, previous: unknown) => {
      if (argChoices.includes(value)) return parseArg === undefined ? value : parseArg(value, previous);
      throw Object.assign(new Error(`Allowed choices are ${argChoices.join(', ')}.`), { code: 'commander.invalidArgument' });
    });
  }
  for (const command of parent.commands) checkChoices(command);
}

/** `--config`, `--format` and `--verbose` may stand before the command as well as behind it, where they win. */
function takeGlobalOptions(program: Command): void {
  const some = program.commands.find(({ options }) => options.length > 0);
  for (const name of ['config', 'format', 'verbose']) {
    const option = some?.options.find((one) => one.attributeName() === name);
    if (option !== undefined) program.addOption(option);
  }
  program.hook('preAction', (_program, command) => {
    for (const [name, value] of Object.entries(program.opts()))
      if (command.getOptionValueSource(name) === undefined) command.setOptionValueWithSource(name, value, 'cli');
  });
}

/** An argument that nobody reads is a mistake; what a group makes of an unknown one is its own affair. */
function refuseExcess(parent: Command): void {
  for (const command of parent.commands) {
    if (command.commands.length === 0) command.allowExcessArguments(false);
    else refuseExcess(command);
  }
}
