import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { containing } from '../support/texts';

const MAIN = join(__dirname, '../../dist/src/main.js');

let folder: string;
let database: TestDatabase;

beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error('dist is missing: npm run build (npm ci does it)');
  folder = mkdtempSync(join(tmpdir(), 'observers-cli-'));
  database = await createTestDatabase();
});

afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { PATH: process.env['PATH'], DATABASE_URL: database.url, ...env } };
    execFile(process.execPath, [MAIN, ...args], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

test('init writes a file that validate-config accepts, and does not overwrite one', async () => {
  expect(await run(['init'])).toMatchObject({ code: 0, out: containing('wrote observers.yaml') });
  expect(await run(['validate-config'])).toMatchObject({ code: 0, out: containing('valid: 1 observer') });
  expect(await run(['init'])).toMatchObject({ code: 1, err: containing('exists already') });
});

test('validate-config exits 2 and says every place', async () => {
  writeFileSync(
    join(folder, 'bad.yaml'),
    'version: 1\nobservers:\n  - { name: a, entity: x, whn: y, actions: [{ type: log, execution: queued }] }\n',
  );
  const { code, err } = await run(['validate-config', 'bad.yaml']);
  expect(code).toBe(2);
  expect(err).toMatch(/bad.yaml:3:\d+ observers\[0\]\.whn: unknown key "whn"; did you mean "when"\?/);
  expect(err).toMatch(/execution: queued is not supported yet by this version/);
});

test('migrate lists, checks and has nothing to do on a prepared database', async () => {
  expect(await run(['migrate', '--check'])).toMatchObject({ code: 0, out: 'up to date\n' });
  expect(await run(['migrate'])).toMatchObject({ code: 0, out: containing('nothing to do') });
});

test('capture: plan shows SQL, check exits 4, apply repairs, list and remove', async () => {
  await database.query('create table if not exists public.orders (id int primary key, status text, total numeric)');
  expect((await run(['capture', 'plan'])).out).toContain('create trigger observers_capture_insert');
  expect((await run(['capture', 'check'])).code).toBe(4);
  expect(await run(['capture', 'apply'])).toMatchObject({ code: 1, err: containing('Add --yes') });
  expect(await run(['capture', 'apply', '--yes'])).toMatchObject({
    code: 0,
    out: containing('applied: public.orders'),
  });
  expect((await run(['capture', 'check'])).code).toBe(0);
  expect(JSON.parse((await run(['capture', 'list', '--format', 'json'])).out)).toMatchObject([
    { table: 'public.orders', state: 'current' },
  ]);
  expect((await run(['capture', 'remove', 'public.orders', '--yes'])).code).toBe(0);
  expect((await run(['capture', 'remove', 'public.orders', '--yes'])).code).toBe(5);
});

test('status and dlq list work with the service stopped, and say so instead of printing zeros', async () => {
  const status = await run(['status']);
  expect(status).toMatchObject({ code: 0, out: containing('none: no service leads this stream') });
  expect(status.out).toContain('unknown: no service answers for it');
  expect(await run(['dlq', 'list'])).toMatchObject({ code: 0, out: containing('empty') });
  expect((await run(['dlq', 'show', '4b7a3c1e-0000-4000-8000-000000000001'])).code).toBe(5);
  expect(await run(['dlq', 'retry', 'x'])).toMatchObject({ code: 1, err: containing('dlq list') });
});

test.each([
  ['a wrong host', { DATABASE_URL: 'postgres://u:CANARY@127.0.0.1:1/d' }, /No server listens at 127.0.0.1:1/],
  ['a database that is not there', { DATABASE_URL: 'nowhere' }, /expected postgres:\/\//],
])('%s is a clear error without the password', async (_name, env, message) => {
  const { code, err } = await run(['status'], env);
  expect(code).toBeGreaterThan(1);
  expect(err).toMatch(message);
  expect(err).not.toContain('CANARY');
});

test('an unknown command is named once, with the nearest', async () => {
  const { code, err } = await run(['stauts']);
  expect(code).toBe(1);
  expect(err.match(/unknown command/g)).toHaveLength(1);
  expect(err).toContain('status');
});

test('config list shows every setting as JSON when asked', async () => {
  const settings = JSON.parse((await run(['config', 'list', '--format', 'json'])).out) as { variable: string }[];
  expect(settings.map(({ variable }) => variable)).toContain('OBSERVERS_MAX_IN_FLIGHT');
});

test('start with a port in use says which, and exits 2', async () => {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { code, err } = await run(['start'], { OBSERVERS_PORT: String(port), OBSERVERS_LOG_LEVEL: 'silent' });
  await new Promise((resolve) => server.close(resolve));
  expect([code, err]).toEqual([2, containing(`port ${port} on 127.0.0.1 is in use`)]);
});
