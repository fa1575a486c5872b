import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import pino from 'pino';
import {
  runningEmbeddedUrl,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '../../src/database/embedded/embedded-postgres';
import { ExitCode, OperatorError } from '../../src/event/errors';
import { startService } from '../../src/lifecycle/start-service';
import { createTestDatabase } from '../support/database';
import { isRunning, postmasterOf } from '../support/program';
import { containing } from '../support/texts';
import { until } from '../support/until';
import { NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import { observersSource } from '../../src/config/load';

const NOBODY = 65_534;
const IS_ROOT = process.getuid?.() === 0;

/** What this machine cannot show is said, not passed over in silence. */
const testWhere = (possible: boolean, why: string): typeof test => {
  if (!possible) console.warn(`tests are skipped: ${why}`);
  return possible ? test : test.skip;
};
const testAsRoot = testWhere(IS_ROOT, 'only root can become another user');
const ROOT = join(__dirname, '../..');
const BUILT = join(ROOT, 'dist/src/database/embedded/embedded-postgres.js');
const asUser = { uid: NOBODY, gid: NOBODY, cwd: '/', env: {} };
const readable = IS_ROOT && spawnSync(process.execPath, ['-e', 'require(process.argv[1])', BUILT], asUser).status === 0;
const testAsNobody = testWhere(readable, 'root is needed to become nobody, and a clone that nobody may read (with dist)');

let folder: string;
const running: EmbeddedPostgres[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'observers-embedded-'));
  chmodSync(folder, 0o755);
});

afterEach(async () => {
  for (const postgres of running.splice(0)) await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), settings: { fsync: 'off' }, ...options });
  running.push(postgres);
  return postgres;
}

async function ask<T>(url: string, sql: string): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return ((await client.query({ text: sql, rowMode: 'array' })).rows as T[][])[0]?.[0] as T;
  } finally {
    await client.end();
  }
}

const refusal = async (attempt: Promise<unknown>): Promise<OperatorError> => {
  const error = await attempt.then(
    () => 'it started',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OperatorError);
  expect((error as OperatorError).remedy).not.toBe('');
  return error as OperatorError;
};

const userOf = (pid: number): string => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

describe('who it runs as', () => {
  test('it starts, answers, and stops without leaving a process or a port', async () => {
    const postgres = await start();
    const { url, port, pid } = postgres;
    expect(await ask(url, 'select current_database()')).toBe('observers');
    expect(isRunning(pid)).toBe(true);
    await postgres.stop();
    expect(isRunning(pid)).toBe(false);
    expect(postmasterOf(join(folder, 'data'))).toBeNull();
    const server = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve, reject) => server.on('listening', resolve).on('error', reject));
    await new Promise((resolve) => server.close(resolve));
  });

  const namespaces = IS_ROOT && spawnSync('unshare', ['--user', '--map-user=1000', 'true']).status === 0;
  testWhere(namespaces, 'root and user namespaces are not allowed here')('as root, in a folder that nobody else may enter', async () => {
    chmodSync(folder, 0o700);
    const { url, pid } = await start();
    expect(userOf(pid)).toBe('0');
    expect(await ask(url, 'select 1')).toBe(1);
  });

  testAsRoot('as root without namespaces it runs as nobody, and stops', async () => {
    const postgres = await start({ allowNamespaces: false });
    const { url, pid } = postgres;
    expect(userOf(pid)).toBe(String(NOBODY));
    expect(await ask(url, 'select 1')).toBe(1);
    await postgres.stop();
    expect(isRunning(pid)).toBe(false);
  });

  testAsRoot('as root without namespaces, in a folder that nobody may not enter, it says which and what to do', async () => {
    chmodSync(folder, 0o700);
    const { message, remedy } = await refusal(start({ allowNamespaces: false }));
    expect(message).toContain(`user "nobody" may not enter ${folder}`);
    expect(remedy).toContain('OBSERVERS_DATA_DIR');
  });

  testAsNobody('as an ordinary user, also in a folder that others may not enter', async () => {
    chownSync(folder, NOBODY, NOBODY);
    chmodSync(folder, 0o700);
    const { out, err } = await asNobody(folder);
    expect(err).toBe('');
    const { user, answer, pid } = JSON.parse(out) as { user: number; answer: number; pid: number };
    expect({ user, answer, left: isRunning(pid) }).toEqual({ user: NOBODY, answer: 1, left: false });
  });

  testAsNobody('as an ordinary user, a folder that cannot be written or made is an error with a remedy', async () => {
    mkdirSync(join(folder, 'data'));
    const [unwritable, unmakable] = [await asNobody(folder), await asNobody(join(folder, 'data'))];
    expect(unwritable.err).toMatch(/^OperatorError: the data folder \S+ cannot be written → .*OBSERVERS_DATA_DIR/m);
    expect(unmakable.err).toMatch(/^OperatorError: the data folder \S+ cannot be made: EACCES.* → .*OBSERVERS_DATA_DIR/m);
  });
});

/** Starts and stops the built product's PostgreSQL as an ordinary user, in `data` of a folder. */
function asNobody(within: string): Promise<{ out: string; err: string }> {
  const script = `
    const { startEmbeddedPostgres } = require(process.argv[1]);
    const { Client } = require('pg');
    startEmbeddedPostgres({ dataDir: process.argv[2] }).then(async (postgres) => {
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      const { rows } = await client.query('select 1 as answer');
      await client.end();
      await postgres.stop();
      console.log(JSON.stringify({ user: process.getuid(), answer: rows[0].answer, pid: postgres.pid }));
    }).catch((error) => { console.error(error.name + ': ' + error.message + ' → ' + error.remedy); process.exitCode = 1 });`;
  const child = spawn(process.execPath, ['-e', script, BUILT, join(within, 'data')], { ...asUser, cwd: ROOT });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (err += text.toString()));
  return new Promise((resolve) => child.once('close', () => resolve({ out, err })));
}

describe('what it finds in its folder', () => {
  test.each([
    ['beside the cluster', ['letter.txt', 'password']],
    ['in the place of the cluster', ['pgdata/letter.txt']],
  ])('foreign files %s are named, and neither changed nor joined by ours', async (_where, names) => {
    const data = join(folder, 'data');
    mkdirSync(join(data, 'pgdata'), { recursive: true });
    for (const name of names) writeFileSync(join(data, name), 'mine');
    const owner = statSync(data).uid;
    const { message, exitCode } = await refusal(start({ allowNamespaces: false }));
    expect([message, exitCode]).toEqual([containing(`not ours: ${names[0]}`), ExitCode.configuration]);
    for (const name of names) expect(readFileSync(join(data, name), 'utf8')).toBe('mine');
    expect(readdirSync(data).sort()).toEqual([...new Set(['pgdata', ...names.map((name) => name.split('/')[0]!)])].sort());
    expect(statSync(data).uid).toBe(owner);
  });

  test('an initialisation that was interrupted is begun anew', async () => {
    const data = join(folder, 'data');
    mkdirSync(join(data, 'pgdata.new', 'base'), { recursive: true });
    writeFileSync(join(data, 'password'), 'half');
    writeFileSync(join(data, 'password.4711'), 'half');
    expect(await ask((await start()).url, 'select 1')).toBe(1);
  });

  test('data of another major version is refused, and left as it is', async () => {
    await (await start()).stop();
    const file = join(folder, 'data/pgdata/PG_VERSION');
    const before = readdirSync(join(folder, 'data/pgdata')).sort();
    writeFileSync(file, '13\n');
    const { message, remedy } = await refusal(start());
    expect(message).toMatch(/is of PostgreSQL 13, and the program is \d+/);
    expect(remedy).toMatch(/^Move .* away to begin anew, or dump it/);
    expect(readdirSync(join(folder, 'data/pgdata')).sort()).toEqual(before);
  });

  test('a password file that is missing is said', async () => {
    await (await start()).stop();
    rmSync(join(folder, 'data/password'));
    expect((await refusal(start())).message).toContain('password is not there');
  });

  test('the password is readable by its owner only, at every moment', async () => {
    const data = join(folder, 'data');
    mkdirSync(data);
    const seen = new Map<string, number>();
    const watcher = watch(data, (_event, name) => {
      const mode = name?.startsWith('password') === true ? statSync(join(data, name), { throwIfNoEntry: false })?.mode : undefined;
      if (mode !== undefined) seen.set(name!, (seen.get(name!) ?? 0) | (mode & 0o077));
    });
    // initdb is waited for in this thread: what it has meanwhile is looked at by another process.
    const looking = spawn('sh', ['-c', `while :; do stat -c '%a %n' ${data}/password* 2>/dev/null; done`]);
    let looked = '';
    looking.stdout.on('data', (text: Buffer) => (looked += text.toString()));
    await start({ allowNamespaces: false });
    looking.kill();
    await new Promise((resolve) => looking.once('close', resolve));
    watcher.close();
    expect(looked).toContain('/password.');
    expect([...new Set(looked.match(/^\d+(?= )/gm))]).toEqual(['600']);
    expect([...seen.values()].filter((bits) => bits !== 0)).toEqual([]);
  });
});

describe('what already runs', () => {
  test('a port in use is named', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { message } = await refusal(start({ port }));
    await new Promise((resolve) => server.close(resolve));
    expect(message).toBe(`port ${port} is in use`);
  });

  test('the port of the last time is taken again, and another one when it is in use', async () => {
    const first = await start();
    await first.stop();
    const second = await start();
    expect(second.port).toBe(first.port);
    await second.stop();
    const server = createServer().listen(first.port, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const third = await start();
    expect(third.port).not.toBe(first.port);
    await new Promise((resolve) => server.close(resolve));
  });

  test('a server that an instance owns is refused to a second one, and shown to commands', async () => {
    const { pid, url } = await start();
    const { message, remedy } = await refusal(start());
    expect(message).toBe(`another fraiseql-observers already runs in ${join(folder, 'data')}`);
    expect(remedy).toContain('OBSERVERS_DATA_DIR');
    expect(await runningEmbeddedUrl(join(folder, 'data'))).toBe(url);
    expect(isRunning(pid)).toBe(true);
  });

  test('a stop keeps the data', async () => {
    const first = await start();
    await ask(first.url, 'create table kept as select 7 as n');
    await first.stop();
    expect(await runningEmbeddedUrl(join(folder, 'data'))).toBeNull();
    expect(await ask((await start()).url, 'select n from kept')).toBe(7);
  });

  test.each([
    ['of a process that is gone', 4_194_303],
    ['that another process has now', process.ppid],
  ])('a stale postmaster.pid %s keeps it from starting neither for long nor at all', async (_whose, number) => {
    const first = await start();
    const file = join(folder, 'data/pgdata/postmaster.pid');
    const text = readFileSync(file, 'utf8');
    process.kill(first.pid, 'SIGKILL');
    await until(() => !isRunning(first.pid));
    writeFileSync(file, text.replace(/^\d+/, String(number)));
    const begun = performance.now();
    expect(await ask((await start()).url, 'select 1')).toBe(1);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

test('with DATABASE_URL nothing embedded is started, and no folder made', async () => {
  const database = await createTestDatabase({ migrate: false });
  const dataDir = join(folder, 'data');
  const configFile = join(folder, 'observers.yaml');
  writeFileSync(configFile, 'version: 1\nobservers: []\n');
  const env = { DATABASE_URL: database.url, OBSERVERS_DATA_DIR: dataDir, OBSERVERS_PORT: '0' };
  const source = observersSource({ env, configFile });
  const options = {
    configuration: source.load(),
    source,
    custom: NO_CUSTOM_ACTIONS,
    logger: pino({ level: 'silent' }),
    applyCapture: false,
    strict: false,
    onFatal: () => undefined,
  };
  const service = await startService(options);
  expect([service.url, existsSync(dataDir)]).toEqual([database.url, false]);
  await service.stop();
  await database.drop();
});
