import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isRunning, postmasterOf } from '../support/program';
import { ask, EmbeddedFolder, refusal } from './embedded-folder';

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

const place = new EmbeddedFolder();
const { start } = place;
beforeEach(() => place.make());
afterEach(() => place.end());

const userOf = (pid: number): string => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;

describe('who it runs as', () => {
  test('it starts, answers, and stops without leaving a process or a port', async () => {
    const postgres = await start();
    const { url, port, pid } = postgres;
    expect(await ask(url, 'select current_database()')).toBe('observers');
    expect(isRunning(pid)).toBe(true);
    await postgres.stop();
    expect(isRunning(pid)).toBe(false);
    expect(postmasterOf(join(place.path, 'data'))).toBeNull();
    const server = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve, reject) => server.on('listening', resolve).on('error', reject));
    await new Promise((resolve) => server.close(resolve));
  });

  const namespaces = IS_ROOT && spawnSync('unshare', ['--user', '--map-user=1000', 'true']).status === 0;
  testWhere(namespaces, 'root and user namespaces are not allowed here')('as root, in a folder that nobody else may enter', async () => {
    chmodSync(place.path, 0o700);
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
    chmodSync(place.path, 0o700);
    const { message, remedy } = await refusal(start({ allowNamespaces: false }));
    expect(message).toContain(`user "nobody" may not enter ${place.path}`);
    expect(remedy).toContain('OBSERVERS_DATA_DIR');
  });

  testAsNobody('as an ordinary user, also in a folder that others may not enter', async () => {
    chownSync(place.path, NOBODY, NOBODY);
    chmodSync(place.path, 0o700);
    const { out, err } = await asNobody(place.path);
    expect(err).toBe('');
    const { user, answer, pid } = JSON.parse(out) as { user: number; answer: number; pid: number };
    expect({ user, answer, left: isRunning(pid) }).toEqual({ user: NOBODY, answer: 1, left: false });
  });

  testAsNobody('as an ordinary user, a folder that cannot be written or made is an error with a remedy', async () => {
    mkdirSync(join(place.path, 'data'));
    const [unwritable, unmakable] = [await asNobody(place.path), await asNobody(join(place.path, 'data'))];
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
