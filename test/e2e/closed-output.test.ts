import { spawn, type StdioOptions } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allCommands, cliProgram, pathOf } from '../support/cli-program';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, isRunning, MAIN, postmasterOf } from '../support/program';
import { deadLetters } from '../support/redrive';
import { until } from '../support/until';

const BROKEN_PIPE = 141;
let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await deadLetters(database, 30);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'observers-closed-'));
  writeFileSync(join(folder, 'observers.yaml'), 'version: 1\nobservers: []\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => database.drop());

interface Closed {
  readonly code: number | null;
  /** Of the streams that were not closed. */
  readonly output: string;
}

/** Runs it with streams that nobody reads. @param after closes them when so much was read; without: before the program has begun */
function runClosed(
  args: readonly string[],
  closed: readonly ('stdout' | 'stderr')[],
  after: RegExp | null = null,
  env: NodeJS.ProcessEnv = {},
): Promise<Closed> {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, env: { ...BARE, DATABASE_URL: database.url, ...env }, stdio });
  let output = '';
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = child[name]!;
    const end = (): void => void stream.destroy();
    if (closed.includes(name) && after === null) end();
    else
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (after?.test(output) === true) for (const one of closed) child[one]!.destroy();
      });
  }
  return new Promise((resolve) => child.once('exit', (code) => setImmediate(() => resolve({ code, output }))));
}

test('every command says nothing more, and ends as SIGPIPE would end it, when nobody reads its help', async () => {
  const commands = allCommands(await cliProgram()).filter(({ commands: below }) => below.length === 0);
  expect(commands.length).toBeGreaterThan(35);
  const paths = commands.map((command) =>
    pathOf(command)
      .split(' ')
      .slice(-2)
      .filter((word) => word !== 'fraiseql-observers'),
  );
  for (let i = 0; i < paths.length; i += 4)
    await Promise.all(
      paths.slice(i, i + 4).map(async (path) => {
        expect([path, await runClosed([...path, '--help'], ['stdout'])]).toEqual([path, { code: BROKEN_PIPE, output: '' }]);
      }),
    );
}, 300_000);

test.each([
  [['status']],
  [['status', '--format', 'json']],
  [['status', '--watch']],
  [['status', '--detailed']],
  [['dlq', 'list']],
  [['dlq', 'stats', '--format', 'json']],
  [['operations', 'list']],
  [['debug-event', '--history', '20']],
  [['config', 'list']],
  [['doctor']],
  [['tail']],
  [['migrate', '--list']],
  [['completion', 'bash']],
  [['roles', 'plan']],
])('%j whose output nobody reads', async (args) => {
  expect(await runClosed(args, ['stdout'])).toEqual({ code: BROKEN_PIPE, output: '' });
});

test.each([[['status', '--nothing']], [['dlq', 'show', 'x']], [['nothing']]])('%j whose complaint nobody reads', async (args) => {
  expect(await runClosed(args, ['stderr'])).toEqual({ code: BROKEN_PIPE, output: '' });
  expect((await runClosed(args, ['stdout', 'stderr'])).code).toBe(BROKEN_PIPE);
});

test('output that cannot be written for another reason is an error that is told', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [MAIN, 'dlq', 'list'], {
    cwd: folder,
    env: { ...BARE, DATABASE_URL: database.url },
    stdio: ['ignore', full, 'pipe'],
  });
  let told = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect([code, told]).toEqual([1, expect.stringMatching(/^error: what was to be shown could not be written: ENOSPC[^\n]*\n$/)]);
});

test.each([
  ['start --demo', ['start', '--demo'], /Ctrl-C ends it/, ['stdout']],
  ['start --demo, at once', ['start', '--demo'], null, ['stdout', 'stderr']],
] as const)(
  '%s whose output nobody reads stops its PostgreSQL, and ends',
  async (_name, args, after, closed) => {
    const { code, output } = await runClosed(args, closed, after, { DATABASE_URL: undefined });
    expect([code, /EPIPE|error/.test(output)]).toEqual([BROKEN_PIPE, false]);
    const log = readFileSync(join(folder, '.observers', 'postgres.log'), 'utf8');
    expect(log).toMatch(/database system is shut down/);
    const pid = postmasterOf(join(folder, '.observers'));
    await until(() => pid === null || !isRunning(pid));
  },
  240_000,
);

test('a service whose log nobody reads stops in its order', async () => {
  const env = { OBSERVERS_PORT: '0', OBSERVERS_LOG_FORMAT: 'json', OBSERVERS_LOG_LEVEL: 'trace' };
  const { code, output } = await runClosed(['start'], ['stdout'], /"started"/, env);
  expect([code, /EPIPE/.test(output)]).toEqual([BROKEN_PIPE, false]);
  expect(await database.query('select from observers.lease where expires_at > clock_timestamp()')).toEqual([]);
});
