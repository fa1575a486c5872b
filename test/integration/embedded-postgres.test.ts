import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../src/actions/custom/custom-actions';
import { observersSource } from '../../src/config/load';
import { runningEmbeddedUrl } from '../../src/database/embedded/embedded-postgres';
import { ExitCode } from '../../src/event/errors';
import { startService } from '../../src/lifecycle/start-service';
import { createTestDatabase } from '../support/database';
import { isRunning } from '../support/program';
import { containing } from '../support/texts';
import { until } from '../support/until';
import { ask, EmbeddedFolder, refusal } from './embedded-folder';

const place = new EmbeddedFolder();
const { start } = place;
beforeEach(() => place.make());
afterEach(() => place.end());

describe('what it finds in its folder', () => {
  test.each([
    ['beside the cluster', ['letter.txt', 'password']],
    ['in the place of the cluster', ['pgdata/letter.txt']],
  ])('foreign files %s are named, and neither changed nor joined by ours', async (_where, names) => {
    const data = join(place.path, 'data');
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
    const data = join(place.path, 'data');
    mkdirSync(join(data, 'pgdata.new', 'base'), { recursive: true });
    writeFileSync(join(data, 'password'), 'half');
    writeFileSync(join(data, 'password.4711'), 'half');
    expect(await ask((await start()).url, 'select 1')).toBe(1);
  });

  test("the server's log is for its owner alone, also where an earlier version left it readable for others", async () => {
    await (await start()).stop();
    const log = join(place.path, 'data/postgres.log');
    expect(statSync(log).mode & 0o777).toBe(0o600);
    chmodSync(log, 0o644);
    await (await start()).stop();
    expect(statSync(log).mode & 0o777).toBe(0o600);
  });

  test('data of another major version is refused, and left as it is', async () => {
    await (await start()).stop();
    const file = join(place.path, 'data/pgdata/PG_VERSION');
    const before = readdirSync(join(place.path, 'data/pgdata')).sort();
    writeFileSync(file, '13\n');
    const { message, remedy } = await refusal(start());
    expect(message).toMatch(/is of PostgreSQL 13, and the program is \d+/);
    expect(remedy).toMatch(/^Move .* away to begin anew, or dump it/);
    expect(readdirSync(join(place.path, 'data/pgdata')).sort()).toEqual(before);
  });

  test('a password file that is missing is said', async () => {
    await (await start()).stop();
    rmSync(join(place.path, 'data/password'));
    expect((await refusal(start())).message).toContain('password is not there');
  });

  test('the password is readable by its owner only, at every moment', async () => {
    const data = join(place.path, 'data');
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
    expect(message).toBe(`another fraiseql-observers already runs in ${join(place.path, 'data')}`);
    expect(remedy).toContain('OBSERVERS_DATA_DIR');
    expect(await runningEmbeddedUrl(join(place.path, 'data'))).toBe(url);
    expect(isRunning(pid)).toBe(true);
  });

  test('a stop keeps the data', async () => {
    const first = await start();
    await ask(first.url, 'create table kept as select 7 as n');
    await first.stop();
    expect(await runningEmbeddedUrl(join(place.path, 'data'))).toBeNull();
    expect(await ask((await start()).url, 'select n from kept')).toBe(7);
  });

  test.each([
    ['of a process that is gone', 4_194_303],
    ['that another process has now', process.ppid],
  ])('a stale postmaster.pid %s keeps it from starting neither for long nor at all', async (_whose, number) => {
    const first = await start();
    const file = join(place.path, 'data/pgdata/postmaster.pid');
    const text = readFileSync(file, 'utf8');
    process.kill(first.pid, 'SIGKILL');
    await until(() => !isRunning(first.pid));
    writeFileSync(file, text.replace(/^\d+/, String(number)));
    const begun = performance.now();
    expect(await ask((await start()).url, 'select 1')).toBe(1);
    expect(performance.now() - begun).toBeLessThan(30_000);
  });
});

test('with DATABASE_URL nothing embedded is started, and no cluster made', async () => {
  const database = await createTestDatabase({ migrate: false });
  const dataDir = join(place.path, 'data');
  const configFile = join(place.path, 'observers.yaml');
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
  await service.stop();
  // What may change something over the API keeps its token there.
  expect([service.url, readdirSync(dataDir)]).toEqual([database.url, ['api-token']]);
  await database.drop();
});
