import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { runningEmbeddedUrl, startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { OperatorError } from '../../src/event/errors';
import { isRunning, postmasterOf } from '../support/program';
import { eventually } from '../support/stream';

const ROOT = process.getuid?.() === 0;
let folder: string;
const servers: EmbeddedPostgres[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'observers-embedded-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(dataDir: string, more: { port?: number; allowNamespaces?: boolean } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' }, ...more });
  servers.push(server);
  return server;
}

function openToAll(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false;
  return true;
}

async function one(url: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ one: number }>('select 1 as one');
  await client.end();
  return rows[0]?.one;
}

const refusal = async (starting: Promise<unknown>): Promise<OperatorError> => {
  const error: unknown = await starting.then(() => null, (thrown: unknown) => thrown); // prettier-ignore
  expect(error).toBeInstanceOf(OperatorError);
  return error as OperatorError;
};

test('it starts in a folder that others may not enter, keeps its data, and leaves no process behind', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  const first = await start(join(closed, 'data'));
  expect(await one(first.url)).toBe(1);
  const client = new Client({ connectionString: first.url });
  await client.connect();
  await client.query('create table kept (id int)');
  await client.end();
  await first.stop();
  expect(isRunning(first.pid)).toBe(false);
  const second = await start(join(closed, 'data'));
  expect(second.port).toBe(first.port);
  const again = new Client({ connectionString: second.url });
  await again.connect();
  expect((await again.query('select * from kept')).rowCount).toBe(0);
  await again.end();
}, 60_000);

test('nobody else may read the password, and nothing of the initialisation is left', async () => {
  await start(join(folder, 'data'));
  const files = readdirSync(join(folder, 'data'));
  expect(files.filter((name) => name.startsWith('password'))).toEqual(['password']);
  expect(statSync(join(folder, 'data', 'password')).mode & 0o077).toBe(0);
});

(ROOT ? test : test.skip)(
  'as root without user namespaces it runs as nobody, and says which folder nobody may not enter',
  async () => {
    chmodSync(folder, 0o755);
    const server = await start(join(folder, 'data'), { allowNamespaces: false });
    expect(await one(server.url)).toBe(1);
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const { message, remedy } = await refusal(start(join(closed, 'data'), { allowNamespaces: false }));
    expect(message).toBe(`PostgreSQL may not run as root, and user "nobody" may not enter ${closed}`);
    expect(remedy).toContain('OBSERVERS_DATA_DIR');
  },
  60_000,
);

// Another user can only run what lies in folders that all may enter.
(ROOT && openToAll(__dirname) ? test : test.skip)(
  'an ordinary user runs it as themselves',
  async () => {
    chmodSync(folder, 0o777);
    const main = join(__dirname, '../../dist/src/database/embedded/embedded-postgres.js');
    const code = `require(${JSON.stringify(main)}).startEmbeddedPostgres({ dataDir: ${JSON.stringify(join(folder, 'data'))} })
    .then(async (server) => { console.log('uid', process.getuid(), server.pid); await server.stop(); })`;
    const child = spawn(process.execPath, ['-e', code], { uid: 65_534, gid: 65_534, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    expect(text).toMatch(/^uid 65534 \d+\n$/);
  },
  60_000,
);

test('a folder that is a file, or cannot be written, is named with what to do', async () => {
  writeFileSync(join(folder, 'file'), '');
  const { message, remedy } = await refusal(start(join(folder, 'file', 'data')));
  expect(message).toContain(join(folder, 'file', 'data'));
  expect(remedy).toContain('OBSERVERS_DATA_DIR');
});

test('data of another version is left as it is', async () => {
  const pgdata = join(folder, 'data', 'pgdata');
  mkdirSync(pgdata, { recursive: true });
  writeFileSync(join(pgdata, 'PG_VERSION'), '12\n');
  const { message, remedy } = await refusal(start(join(folder, 'data')));
  expect(message).toMatch(/is of PostgreSQL 12, and the program is \d+/);
  expect(remedy).toContain('dump it with PostgreSQL 12');
  expect(readdirSync(pgdata)).toEqual(['PG_VERSION']);
});

test('a port that is in use is named; the remembered one is given up for a free one', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  expect((await refusal(start(join(folder, 'data'), { port }))).message).toBe(`port ${port} is in use`);
  writeFileSync(join(folder, 'data', 'port'), String(port));
  expect((await start(join(folder, 'data'))).port).not.toBe(port);
  await new Promise((resolve) => taken.close(resolve));
}, 60_000);

test('a server whose lock file names a process that is gone, or another one, starts all the same', async () => {
  const dataDir = join(folder, 'data');
  const first = await start(dataDir);
  process.kill(first.pid, 'SIGKILL');
  await eventually(() => Promise.resolve(isRunning(first.pid)), (alive) => !alive); // prettier-ignore
  expect(existsSync(join(dataDir, 'pgdata', 'postmaster.pid'))).toBe(true);
  expect(await runningEmbeddedUrl(dataDir)).toBeNull();
  const second = await start(dataDir);
  expect(second.pid).not.toBe(first.pid);
  expect(await one(second.url)).toBe(1);
  expect(postmasterOf(dataDir)).toBe(second.pid);
}, 60_000);

test('a server that is owned is not given to a second one', async () => {
  await start(join(folder, 'data'));
  const { message, remedy } = await refusal(start(join(folder, 'data')));
  expect(message).toBe(`another fraiseql-observers already runs in ${join(folder, 'data')}`);
  expect(remedy).toContain('OBSERVERS_DATA_DIR');
  expect(await runningEmbeddedUrl(join(folder, 'data'))).not.toBeNull();
}, 60_000);
