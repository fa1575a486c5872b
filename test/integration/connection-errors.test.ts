import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres';
import { listMigrations, requireSupported, runMigrations } from '../../src/database/migrator';
import { connect } from '../../src/database/postgres';
import { ExitCode, OperatorError } from '../../src/event/errors';
import { testedPostgres } from '../support/postgres-version';
import { startTcpProxy } from '../support/tcp-proxy';

// A server of this file's own: it asks for passwords, and roles and limits of it are nobody else's.
let folder: string;
let postgres: EmbeddedPostgres;
const PASSWORD = `CANARY-${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'observers-connection-'));
  postgres = await startEmbeddedPostgres({ dataDir: folder, settings: { fsync: 'off' }, ...testedPostgres() });
  const admin = await connect(postgres.url, 'test');
  await admin.query(`create role worker login password '${PASSWORD}'; create role locked nologin password '${PASSWORD}';
                     create role crowded login connection limit 0 password '${PASSWORD}'`);
  await admin.end();
});

afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

const urlOf = (changed: Partial<Record<'username' | 'password' | 'port' | 'hostname' | 'pathname' | 'search', string>>): string => {
  const url = new URL(postgres.url);
  Object.assign(url, { username: 'worker', password: PASSWORD }, changed);
  return url.toString();
};

/** Every way to the database says the same, and none says the password. */
async function refusal(url: string): Promise<{ message: string; remedy: string }> {
  const ways = [() => connect(url, 'test'), () => runMigrations(url), () => listMigrations(url)];
  const errors = await Promise.all(
    ways.map((way) =>
      way().then(
        () => null,
        (error: unknown) => error,
      ),
    ),
  );
  for (const error of errors) {
    expect(error).toBeInstanceOf(OperatorError);
    expect((error as OperatorError).exitCode).toBe(ExitCode.connection);
    expect(`${(error as OperatorError).message} ${(error as OperatorError).remedy}`).not.toContain(PASSWORD);
    expect(error).toMatchObject({ message: (errors[0] as OperatorError).message, remedy: (errors[0] as OperatorError).remedy });
  }
  const { message, remedy } = errors[0] as OperatorError;
  return { message, remedy };
}

const at = (path = '/observers', port: number | string = postgres.port) => `cannot connect to PostgreSQL at 127.0.0.1:${port}${path}`;

test('a wrong password', async () => {
  expect(await refusal(urlOf({ password: `${PASSWORD}-wrong` }))).toEqual({
    message: `${at()}: password authentication failed for user "worker"`,
    remedy: 'The password in DATABASE_URL is wrong for this user. Correct it, or reset it with: alter role … password …',
  });
});

test('a user that does not exist looks like a wrong password, as the server wants it', async () => {
  expect((await refusal(urlOf({ username: 'nobody' }))).message).toBe(`${at()}: password authentication failed for user "nobody"`);
});

test('no password at all', async () => {
  const { message, remedy } = await refusal(urlOf({ password: '' }));
  expect(message).toMatch(/^cannot connect to PostgreSQL at .*password/i);
  expect(remedy).toContain('password in DATABASE_URL');
});

test('a role that may not log in', async () => {
  expect(await refusal(urlOf({ username: 'locked' }))).toEqual({
    message: `${at()}: role "locked" is not permitted to log in`,
    remedy: 'The server does not let this user in from here. Check pg_hba.conf and the user in DATABASE_URL.',
  });
});

test('a database that does not exist', async () => {
  expect(await refusal(urlOf({ pathname: '/nowhere' }))).toEqual({
    message: `${at('/nowhere')}: database "nowhere" does not exist`,
    remedy: 'The database in DATABASE_URL does not exist. Create it with: createdb …',
  });
});

test('a role that has used up its connections', async () => {
  const { message, remedy } = await refusal(urlOf({ username: 'crowded' }));
  expect(message).toBe(`${at()}: too many connections for role "crowded"`);
  expect(remedy).toContain('connection limit');
});

test('a server that does not run', async () => {
  const gone = await startTcpProxy('127.0.0.1', postgres.port);
  await gone.close();
  expect(await refusal(urlOf({ port: String(gone.port) }))).toEqual({
    message: `${at('/observers', gone.port)}: connect ECONNREFUSED 127.0.0.1:${gone.port}`,
    remedy: `No server listens at 127.0.0.1:${gone.port}/observers. Start it, or correct host and port in DATABASE_URL.`,
  });
});

test('a host that does not exist', async () => {
  const { message, remedy } = await refusal(urlOf({ hostname: 'nowhere.invalid' }));
  expect(message).toContain('cannot connect to PostgreSQL at nowhere.invalid:');
  expect(remedy).toContain('host name in DATABASE_URL');
});

test('a server that accepts and says nothing', async () => {
  const proxy = await startTcpProxy('127.0.0.1', postgres.port);
  proxy.blackhole();
  const { message, remedy } = await refusal(urlOf({ port: String(proxy.port) }));
  expect(message).toMatch(/timeout/);
  expect(remedy).toMatch(/does not answer/);
  await proxy.close();
});

test('something else than PostgreSQL on the port, or a server without TLS that is asked for it', async () => {
  const { message, remedy } = await refusal(urlOf({ search: '?sslmode=require' }));
  expect(message).toContain('does not support SSL');
  expect(remedy).toContain('sslmode');
});

// No server below 14 can be had here; what decides is the number that it gives.
test.each([
  [90_624, '9.6.24'],
  [130_022, '13.22'],
  [0, 'of unknown version'],
])('version %d is refused, with what to do', (version, text) => {
  const refuse = (): void => requireSupported(version, text);
  expect(refuse).toThrow(OperatorError);
  expect(refuse).toThrow(`PostgreSQL ${text} is too old: 14 is the oldest that works`);
});

test.each([140_000, 150_014, 180_001])('version %d is accepted', (version) => {
  expect(() => requireSupported(version, 'x')).not.toThrow();
});
