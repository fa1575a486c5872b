import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { BARE, isRunning, launch, MAIN, postmasterOf, run, type Running } from '../support/program';
import { eventually, until } from '../support/until';

const SHOWN = /Ctrl-C ends it/;
let folder: string;
const demos: Running[] = [];

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error('dist is missing: npm run build (npm ci does it)');
  folder = mkdtempSync(join(tmpdir(), 'observers-demo-'));
});

afterEach(async () => {
  for (const demo of demos.splice(0)) await demo.end('SIGINT');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function demo(env: NodeJS.ProcessEnv = {}, cwd = folder): Running {
  const running = launch(process.execPath, [MAIN, 'start', '--demo'], { cwd, env: { ...BARE, ...env } });
  demos.push(running);
  return running;
}

/** The lines under “Try next”, as somebody would copy them. */
function commandsIn(output: string): string[] {
  const [, after = ''] = output.split(/Try next.*\n/);
  return after
    .split('\n\n')[0]!
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

async function orders(output: string): Promise<number> {
  const client = new Client({ connectionString: /DATABASE_URL="([^"]+)"/.exec(output)?.[1] ?? 'none printed' });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>('select count(*)::int as n from demo.orders');
    return rows[0]!.n;
  } finally {
    await client.end();
  }
}

const SAYS: readonly (readonly [end: string, said: RegExp])[] = [
  ['status', /leader .*\(epoch \d+\)/],
  // Of five in a row none may have been for anybody: the demo's orders are of three kinds.
  ['debug-event --history 5', /Order \d+ +(?:insert|update) +processed +(?:\d \w+|none: no observer matched)/],
  ['dlq list', /empty/],
];

const tryAll = async (lines: readonly string[], cwd = folder, env: NodeJS.ProcessEnv = {}): Promise<void> => {
  const [database = '', ...commands] = lines;
  for (const line of commands.filter((each) => !each.includes('psql'))) {
    const { code, out, err } = await run('sh', ['-c', `${database}; ${line}`], { cwd, env: { ...BARE, ...env } });
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
    const [, said] = SAYS.find(([end]) => line.endsWith(end)) ?? [];
    expect(out).toMatch(said ?? /nothing is known of this command/);
  }
};

/** The story that the terminal must tell, in this order. */
const STORY = [
  /a row is written +update demo\.orders set status = 'shipped' where id = \d+/,
  /the event +order\.updated +Order \d+ +changed: status/,
  /✓ order-shipped +when status_changed_to\('shipped'\) AND total > 100\n +because .*total is 250/,
  /✗ express-order +when express = true\n +because express is false/,
  /the webhook +POST \/webhooks +webhook-id [0-9a-f-]{36} +signature verified/,
  /"type":"order\.updated".*"status":"shipped"/,
  /commit to delivery +\d+\.\d ms/,
];

function expectStory(output: string): void {
  let rest = output;
  for (const part of STORY) {
    const found = part.exec(rest);
    expect(found === null ? `${part} is missing in:\n${output}` : '').toBe('');
    rest = rest.slice(found!.index);
  }
}

test('a row, who matched and why, the verified webhook and its time; then a retry that works at the third try', async () => {
  const running = demo();
  const output = await running.waitFor(SHOWN);
  expectStory(output);
  const retried = await running.waitFor(/express-order +try 3 +delivered, verified/);
  expect(retried).toMatch(/express-order +try 1 +answered 503, will be retried[^]*express-order +try 2 +answered 503, will be retried/);
  expect(retried).not.toContain('\u001b');
  expect(retried).not.toContain('NOT valid');
});

test('the commands it prints work as they stand, in the folder they are printed for', async () => {
  const output = await demo().waitFor(SHOWN);
  const lines = commandsIn(output);
  expect(lines).toHaveLength(5);
  await tryAll(lines);
  expect(await orders(output)).toBeGreaterThan(0);
});

test('the printed commands find the demo when the environment and the folder name another database', async () => {
  const other = join(folder, 'other');
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, 'observers.yaml'), 'version: 1\nsettings: { database_url: "postgres://nobody@127.0.0.1:1/none" }\n');
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
  const output = await demo({ ...env, OBSERVERS_DATA_DIR: join(other, 'data') }, other).waitFor(SHOWN);
  await tryAll(commandsIn(output), other, env);
});

test('Ctrl-C ends it with 0 in under 5 s, and neither server nor port is left', async () => {
  const running = demo();
  const output = await running.waitFor(SHOWN);
  const postmaster = postmasterOf(join(folder, '.observers'))!;
  expect(isRunning(postmaster)).toBe(true);
  const { code, took } = await running.end('SIGINT');
  expect({ code, inTime: took < 5_000 }).toEqual({ code: 0, inTime: true });
  expect(isRunning(postmaster)).toBe(false);
  expect(postmasterOf(join(folder, '.observers'))).toBeNull();
  expect(running.output()).toMatch(/stopped cleanly\n$/);
  const port = Number(/127\.0\.0\.1:(\d+)\/observers/.exec(output)![1]);
  const answer = await new Promise((resolve) => createConnection(port, '127.0.0.1').on('error', resolve).on('connect', resolve));
  expect(answer).toMatchObject({ code: 'ECONNREFUSED' });
});

test('Ctrl-C while it still starts ends it too, and leaves no server behind', async () => {
  const early = mkdtempSync(join(tmpdir(), 'observers-demo-early-'));
  const running = demo({}, early);
  const dataDir = join(early, '.observers');
  await until(() => postmasterOf(dataDir) !== null);
  const postmaster = postmasterOf(dataDir)!;
  const { code } = await running.end('SIGINT');
  expect(code).toBe(0);
  expect(isRunning(postmaster)).toBe(false);
  rmSync(early, { recursive: true });
});

test('a second start in the same folder keeps the orders and tells its own first one', async () => {
  const first = demo();
  const before = await orders(await first.waitFor(SHOWN));
  await first.end('SIGINT');
  const output = await demo().waitFor(SHOWN);
  expectStory(output);
  expect(await orders(output)).toBeGreaterThan(before);
});

test('after kill -9 with deliveries under way it takes the orphaned server over, and tells the right order and webhook', async () => {
  const first = demo();
  // An express order waits for its retry at this moment.
  const before = await orders(await first.waitFor(/express-order +try 1 +answered 503/));
  const orphan = postmasterOf(join(folder, '.observers'))!;
  await first.end('SIGKILL');
  expect(isRunning(orphan)).toBe(true);
  const second = demo();
  const output = await second.waitFor(SHOWN);
  expectStory(output);
  const [, order] = /where id = (\d+)/.exec(output)!;
  expect(output).toContain(`order.updated  Order ${order} `);
  expect(output).toMatch(new RegExp(`"data":\\{"id":${order},`));
  expect(await orders(output)).toBeGreaterThan(before);
  expect((await second.end('SIGINT')).code).toBe(0);
  expect(isRunning(orphan)).toBe(false);
});

test('after kill -9 of the demo and of its server it recovers what was committed', async () => {
  const first = demo();
  const before = await orders(await first.waitFor(SHOWN));
  const postmaster = postmasterOf(join(folder, '.observers'))!;
  await first.end('SIGKILL');
  process.kill(postmaster, 'SIGKILL');
  await until(() => !isRunning(postmaster));
  expect(readFileSync(join(folder, '.observers', 'pgdata', 'postmaster.pid'), 'utf8')).toContain(String(postmaster));
  const output = await demo().waitFor(SHOWN);
  expectStory(output);
  expect(await orders(output)).toBeGreaterThan(before);
});

test('a second demo in the folder of one that runs is refused, and does not take its server away', async () => {
  const first = demo();
  const output = await first.waitFor(SHOWN);
  const second = demo();
  const { code } = await second.ended;
  expect(second.output()).toMatch(/error: .*already runs in/);
  expect(code).toBe(2);
  expect(await orders(output)).toBeGreaterThan(0);
  await first.waitFor(/express-order +try 3 +delivered/);
});

test('a start that fails leaves no server behind', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const running = demo({ OBSERVERS_PORT: String(port) });
  const postmaster = await eventually(
    () => postmasterOf(join(folder, '.observers')),
    (pid) => pid !== null,
  );
  expect((await running.ended).code).toBe(2);
  await new Promise((resolve) => taken.close(resolve));
  expect(running.output()).toContain(`port ${port} on 127.0.0.1 is in use`);
  expect(isRunning(postmaster!)).toBe(false);
});

test('Ctrl-C ends it while the first delivery does not come', async () => {
  const first = demo();
  const url = /DATABASE_URL="([^"]+)"/.exec(await first.waitFor(SHOWN))![1]!;
  await first.end('SIGINT');
  const second = demo();
  const client = await holdStream(url);
  await second.waitFor(/a row is written/);
  const shown = SHOWN.test(second.output());
  const { code, took } = await second.end('SIGINT');
  await client.end().catch(() => undefined);
  expect({ shown, code, inTime: took < 5_000 }).toEqual({ shown: false, code: 0, inTime: true });
});

/** Another instance leads, as far as the database knows. */
async function holdStream(url: string): Promise<Client> {
  const connected = async (): Promise<Client | null> => {
    const client = new Client({ connectionString: url }).on('error', () => undefined);
    return client.connect().then(
      () => client,
      () => null,
    );
  };
  const client = await eventually(connected, (answer) => answer !== null);
  await client!.query(
    "update observers.lease set holder = 'another', backend_pid = pg_backend_pid(), backend_start = null, expires_at = clock_timestamp() + interval '1 hour'",
  );
  return client!;
}
