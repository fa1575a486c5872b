import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allCommands, cliProgram, helpOf, pathOf, wordsOf } from '../../support/cli-program';
import type { Command } from '../../../src/cli/program';

/** Lines of a command's help that can be copied. */
function examplesIn(help: string): string[] {
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples.split('\n').flatMap((line) => /^ {2}fraiseql-observers (.*)$/.exec(line)?.[1] ?? []);
}

let paths: string[];
let examples: [path: string, line: string][];

beforeAll(async () => {
  const program = await cliProgram();
  const commands = allCommands(program);
  paths = commands.map(pathOf);
  examples = [program, ...commands].flatMap((command) =>
    examplesIn(helpOf(command)).map((line): [string, string] => [pathOf(command), line]),
  );
});

/** Parses a line as the program does, and says which command would have run. */
async function parse(words: readonly string[]): Promise<string> {
  const program = await cliProgram();
  let reached = '';
  for (const command of allCommands(program)) if (command.commands.length === 0) command.action(() => void (reached = pathOf(command)));
  await program.parseAsync(words, { from: 'user' });
  return reached;
}

test('every command has examples in its help', () => {
  expect(paths.length).toBeGreaterThan(30);
  const without = paths.filter((path) => !examples.some(([of]) => of === path));
  expect(without).toEqual([]);
});

test('every example of every command is a line that the program takes, and runs that command', async () => {
  const wrong: string[] = [];
  for (const [path, line] of examples) {
    const reached = await parse(wordsOf(line)).catch((error: Error) => `not taken: ${error.message}`);
    if (reached === '' || !reached.startsWith(path)) wrong.push(`${path}: ${line}: ${reached}`);
  }
  expect(wrong).toEqual([]);
});

test('the options that all commands take may stand before the command, and behind it they win', async () => {
  const program = await cliProgram();
  const seen: unknown[] = [];
  const status = allCommands(program).find((command) => pathOf(command) === 'status') as Command;
  status.action(() => void seen.push(status.opts()));
  await program.parseAsync(['--format', 'json', '--config', 'a.yaml', 'status', '--config', 'b.yaml'], { from: 'user' });
  expect(seen).toEqual([{ format: 'json', config: 'b.yaml' }]);
});

test.each([
  ['an argument too many', ['status', 'extra'], /too many arguments/],
  ['an unknown flag', ['status', '--formt', 'json'], /unknown option '--formt'\n\(Did you mean --format\?\)/],
  ['an unknown command', ['stauts'], /unknown command 'stauts'\n\(Did you mean status\?\)/],
  ['a choice that is none', ['status', '--format', 'xml'], /Allowed choices are text, json/],
])('%s is refused', async (_what, words, message) => {
  await expect(parse(words)).rejects.toThrow(message);
});

test('every flag in the code of the documentation exists', async () => {
  const program = await cliProgram();
  const commands = allCommands(program);
  const root = join(__dirname, '../../..');
  const folders = ['.', 'docs', 'docs/actions'];
  const wrong: string[] = [];
  let checked = 0;
  for (const page of folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )) {
    if (/CONTRIBUTING|CHANGELOG|performance/.test(page)) continue;
    for (const code of codeIn(readFileSync(join(root, page), 'utf8'))) {
      const line = code.replace(/^\$ /, '').replace(/^(npx )?fraiseql-observers /, '');
      const command = deepest(program, wordsOf(line));
      const flags = [...line.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag);
      if (command === program && !/^--/.test(line)) continue;
      const known = (command === program ? [program, ...commands] : command.commands.length > 0 ? allCommands(command) : [command]).flatMap(
        ({ options }) => options.map(({ long }) => long),
      );
      checked += flags.length;
      wrong.push(...flags.filter((flag) => flag !== '--help' && !known.includes(flag)).map((flag) => `${page}: ${line}: ${flag}`));
    }
  }
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(50);
});

/** Code between backticks, and the lines of fenced blocks. */
function codeIn(text: string): string[] {
  const fenced = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(([, block]) => (block ?? '').split('\n'));
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...fenced, ...inline];
}

/** The command that a line names; the program itself when it names none. */
function deepest(command: Command, [word, ...rest]: readonly string[]): Command {
  const next = command.commands.find((one) => one.name() === word);
  return next === undefined ? command : deepest(next, rest);
}
