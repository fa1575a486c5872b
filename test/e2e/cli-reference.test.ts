import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020';
import type { Command } from 'commander';
import { CommandFactory } from 'nest-commander';
import { CliModule } from '../../src/cli/cli.module';
import { Normal } from '../support/cli/normal';
import { pageOf, type Shown } from '../support/cli/page';
import { definitionOf, jsonSchemas, OUTPUTS } from '../support/cli/schemas';
import { NOT_CALLED, STEPS, type Step } from '../support/cli/steps';
import { Story } from '../support/cli/story';
import { VERSION } from '../../src/config/version';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { MAIN, run, type Result } from '../support/program';

const PAGE = join(__dirname, '../../docs/cli.md');
const SCHEMA = join(__dirname, '../../docs/cli.schema.json');
const UPDATE = process.env['UPDATE_DOCS'] === '1';
const WHOLE = 40;

let folder: string;
let database: TestDatabase;
let story: Story;
let commands: readonly string[];

beforeAll(async () => {
  commands = await commandsOfTheProgram();
  folder = mkdtempSync(join(tmpdir(), 'observers-reference-'));
  database = await createTestDatabase();
  story = await Story.begin(database);
  story.writeFiles(folder);
  await database.query('create table customers (id int primary key, name text)');
});

afterAll(async () => {
  await story.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** Every command that can be called, in the order of the program's help. */
async function commandsOfTheProgram(): Promise<string[]> {
  const app = await CommandFactory.createWithoutRunning(CliModule, { logger: false, usePlugins: false, enablePositionalOptions: true });
  // The one instance that nest-commander builds all commands into.
  const { Commander } = jest.requireActual<{ Commander: symbol }>('nest-commander/src/constants');
  const program = app.get<Command>(Commander, { strict: false });
  const leaves = (command: Command, path: string): string[] =>
    command.commands.length === 0 ? [path] : command.commands.flatMap((sub) => leaves(sub, `${path} ${sub.name()}`.trim()));
  const found = leaves(program, '');
  await app.close();
  return found;
}

const call = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> =>
  run(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], DATABASE_URL: database.url, COLUMNS: '120', ...env },
  });

test('docs/cli.schema.json is what the types of the program say (UPDATE_DOCS=1 writes it)', () => {
  const text = prettier(SCHEMA, JSON.stringify(jsonSchemas()));
  if (UPDATE) writeFileSync(SCHEMA, text);
  expect(readFileSync(SCHEMA, 'utf8')).toBe(text);
});

test('every command is called in the reference, or says why not', () => {
  const missing = commands.filter((command) => NOT_CALLED[command] === undefined && !STEPS.some((step) => step.command === command));
  expect(missing).toEqual([]);
  expect(STEPS.filter(({ command }) => !commands.includes(command))).toEqual([]);
});

test('docs/cli.md is what the commands really print, and their JSON is what its schema says (UPDATE_DOCS=1 writes it)', async () => {
  const normal = new Normal(
    new Map([
      [folder, '/srv/shop'],
      [story.receiver.url, 'http://127.0.0.1:9000'],
      [new URL(database.url).pathname.slice(1), 'shop'],
      [`"${VERSION}"`, '"1.0.0"'],
      [`@${VERSION}`, '@1.0.0'],
      [`version ${VERSION}`, 'version 1.0.0'],
      [` ${VERSION} `, ' 1.0.0 '],
    ]),
  );
  const helps = new Map<string, string>();
  for (let i = 0; i < commands.length; i += 4) {
    const four = commands.slice(i, i + 4).map(async (command) => [command, (await call([...command.split(' '), '--help'])).out] as const);
    for (const [command, out] of await Promise.all(four)) helps.set(command, normal.of(out));
  }
  const ajv = new Ajv2020({ strict: false, formats: { uuid: true, 'date-time': true } });
  ajv.addSchema(jsonSchemas(), 'cli');
  const proved = new Set<string>();
  const kept = new Map<string, string>();
  const calls: Shown[] = [];
  const wrong: string[] = [];
  for (const step of STEPS) {
    await step.before?.(story);
    const args = [
      ...step.command.split(' '),
      ...(step.args ?? []).map((arg) => arg.replace(/^\{(\w+)\}$/, (_all, name: string) => kept.get(name) ?? '')),
    ];
    if (step.json === true) args.push('--format', 'json');
    const { code, out, err } = await call(args, step.env);
    const env = Object.entries(step.env ?? {})
      .map(([name, value]) => `${name}=${value} `)
      .join('');
    const line = `${env}fraiseql-observers ${args.map(quoted).join(' ')}`;
    if (code !== (step.code ?? 0)) wrong.push(`${line}: exit code ${code}\n${out}${err}`);
    if (step.json === true && out !== '') proved.add(step.command);
    if (step.json === true && out !== '') wrong.push(...invalid(ajv, step, out).map((problem) => `${line}: ${problem}`));
    if (step.keep !== undefined) kept.set(step.keep[0], step.keep[1].exec(out)?.[1] ?? '');
    calls.push({ step, line: normal.of(line), output: cut(normal.of(`${out}${err}`), step.lines ?? WHOLE) });
  }
  expect(wrong).toEqual([]);
  // A schema that nothing was held against proves nothing.
  expect(Object.keys(OUTPUTS).filter((command) => !proved.has(command))).toEqual([]);
  const page = prettier(PAGE, pageOf(helps, calls));
  if (UPDATE) writeFileSync(PAGE, page);
  // How wide a column is depends on what is not compared.
  const compared = (text: string): string => text.replaceAll(/ {2,}/g, '  ');
  expect(compared(readFileSync(PAGE, 'utf8'))).toBe(compared(page));
}, 600_000);

/** As a program of its own: it imports its parts when they are needed, which jest does not allow. */
function prettier(file: string, text: string): string {
  return execFileSync(process.execPath, [require.resolve('prettier/bin/prettier.cjs'), '--ignore-path', 'none', '--stdin-filepath', file], {
    input: text,
    encoding: 'utf8',
  });
}

function invalid(ajv: Ajv2020, step: Step, out: string): string[] {
  const validate = ajv.getSchema(`cli#/$defs/${definitionOf(step.command)}`);
  if (validate === undefined) return [`${step.command} has no schema`];
  const values = step.command === 'tail' ? out.trim().split('\n') : [out];
  return values.flatMap((value) => (validate(JSON.parse(value)) === true ? [] : [ajv.errorsText(validate.errors)]));
}

function quoted(arg: string): string {
  return /^[\w./:=@-]+$/.test(arg) ? arg : `'${arg}'`;
}

function cut(output: string, most: number): string {
  const lines = output.split('\n');
  return lines.length <= most + 1 ? output : `${lines.slice(0, most).join('\n')}\n…\n`;
}
