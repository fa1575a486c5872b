import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, fchmodSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import { ExitCode, OperatorError } from '../../event/errors';
import { embeddedBinaries } from './binaries';
import { connect } from '../postgres';
import { placesIn, prepareFolder, ownServer, type DataPlaces } from './data-folder';
import { clearStale, isAlive, isPostmaster } from './postmaster';
import { unprivilegedRunner, type Runner } from './unprivileged';

const DATABASE = 'observers';
const START_TIMEOUT = 60_000;
const STOP_TIMEOUT = 8_000;

export interface EmbeddedPostgresOptions {
  /** Holds the cluster (`pgdata`), the password and the log. Made when it is not there. */
  readonly dataDir: string;
  /** 0: the port of the last time if it is free, else any free one. */
  readonly port?: number;
  /** Further lines of configuration, for tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The package to run instead of ours, to test and measure other versions. */
  readonly package?: string;
  /** False: as root, use the user `nobody` rather than a user namespace. */
  readonly allowNamespaces?: boolean;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly port: number;
  /** Process number of the postmaster. */
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * Starts a real PostgreSQL in a local folder, for trying out and for tests: on 127.0.0.1 only, with a password of its own. A server
 * that a killed process left running in the folder is taken over; one that another process uses is left to it.
 *
 * @throws OperatorError for what a person can mend: a folder that cannot be written, a port in use, no binaries for this machine
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const places = placesIn(options.dataDir);
  const running = await adopt(places);
  if (running !== null) return owned(running, places);

  const native = embeddedBinaries(options.package);
  prepareFolder(places);
  await clearStale(places.pgdata);
  const runner = unprivilegedRunner(native, places.pgdata, options.allowNamespaces);
  if (!existsSync(join(places.pgdata, 'PG_VERSION'))) initialise(runner, places);
  checkVersion(runner, places);
  const port = await choosePort(options.port ?? 0, places);
  await launch(runner, places, port, options.settings ?? {});
  const started = await adopt(places);
  if (started === null) throw startFailure(places);
  return owned(started, places);
}

async function owned(server: EmbeddedPostgres, { folder }: DataPlaces): Promise<EmbeddedPostgres> {
  const release = await ownServer(server.url, folder);
  const stop = async (): Promise<void> => {
    await release();
    await server.stop();
  };
  return { ...server, stop };
}

/** The address of the server that runs in a data folder, or null when none does. */
export async function runningEmbeddedUrl(dataDir: string): Promise<string | null> {
  return (await adopt(placesIn(dataDir)))?.url ?? null;
}

/** Into a folder beside, then renamed: an initialisation that was interrupted leaves nothing that looks finished. */
function initialise(runner: Runner, { folder, pgdata, password, log }: DataPlaces): void {
  const unfinished = `${pgdata}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  rmSync(password, { force: true });
  writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
  const passwordFile = join(folder, `password.${process.pid}`);
  const options = [
    '-D',
    unfinished,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  const { command, args, options: how } = runner.wrap(join(runner.native, 'bin', 'initdb'), options);
  writeFileSync(passwordFile, readFileSync(password), { mode: 0o600 });
  if (how.uid !== undefined) chownSync(passwordFile, how.uid, how.gid ?? how.uid);
  const { status, stderr, error } = spawnSync(command, args, {
    uid: how.uid,
    gid: how.gid,
    env: environment(),
    encoding: 'utf8',
    cwd: '/',
  });
  rmSync(passwordFile, { force: true });
  if (status !== 0) {
    writeFileSync(log, stderr, { flag: 'a' });
    throw new OperatorError(
      `PostgreSQL could not be initialised in ${pgdata}: ${error?.message ?? lastLines(stderr)}`,
      `Its log is ${log}.`,
      ExitCode.configuration,
    );
  }
  renameSync(unfinished, pgdata);
}

function checkVersion(runner: Runner, { pgdata }: DataPlaces): void {
  const { stdout } = spawnSync(join(runner.native, 'bin', 'postgres'), ['--version'], { encoding: 'utf8', env: environment() });
  const program = /(\d+)/.exec(stdout)?.[1];
  const data = readFileSync(join(pgdata, 'PG_VERSION'), 'utf8').trim();
  if (program === data) return;
  const remedy = `Move ${pgdata} away to begin anew, or dump it with PostgreSQL ${data} first.`;
  throw new OperatorError(`the data in ${pgdata} is of PostgreSQL ${data}, and the program is ${program}`, remedy, ExitCode.configuration);
}

async function choosePort(wanted: number, { folder }: DataPlaces): Promise<number> {
  const remembered = join(folder, 'port');
  const last = existsSync(remembered) ? Number(readFileSync(remembered, 'utf8')) : 0;
  const port = (wanted > 0 ? await freePort(wanted) : last > 0 ? await freePort(last) : null) ?? (wanted > 0 ? null : await freePort(0));
  if (port === null)
    throw new OperatorError(`port ${wanted} is in use`, 'Name another one, or 0 for any free port.', ExitCode.configuration);
  writeFileSync(remembered, String(port));
  return port;
}

function freePort(port: number): Promise<number | null> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(null));
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => done(bound));
    });
  });
}

async function launch(runner: Runner, places: DataPlaces, port: number, settings: Readonly<Record<string, string>>): Promise<void> {
  const values = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...settings,
  };
  const options = Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { command, args, options: how } = runner.wrap(join(runner.native, 'bin', 'postgres'), ['-D', places.pgdata, ...options]);
  // It may hold statements, and so values. One of an earlier version was readable by others.
  const log = openSync(places.log, 'a', 0o600);
  fchmodSync(log, 0o600);
  // A session of its own: Ctrl-C in the terminal is ours to handle, and must not reach the server.
  const child = spawn(command, args as string[], { ...how, env: environment(), stdio: ['ignore', log, log], detached: true, cwd: '/' });
  closeSync(log);
  child.unref();
  let exited: string | null = null;
  child.once('exit', (code) => (exited = `it ended with ${code}`));
  child.once('error', (error) => (exited = error.message));
  const until = Date.now() + START_TIMEOUT;
  while (Date.now() < until && exited === null) {
    if (await answers(urlOf(places, port, 'postgres'))) return ensureDatabase(places, port);
    await new Promise((again) => setTimeout(again, 25));
  }
  child.kill('SIGKILL');
  throw startFailure(places);
}

async function ensureDatabase(places: DataPlaces, port: number): Promise<void> {
  const client = await connect(urlOf(places, port, 'postgres'), 'embedded');
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

function startFailure({ log }: DataPlaces): OperatorError {
  const text = existsSync(log) ? lastLines(readFileSync(log, 'utf8')) : 'it wrote no log';
  return new OperatorError(`the embedded PostgreSQL did not start: ${text}`, `Its log is ${log}.`, ExitCode.connection);
}

/** The server that postmaster.pid speaks of, if it is alive and lets us in: then it is ours, for the password is. */
async function adopt(places: DataPlaces): Promise<EmbeddedPostgres | null> {
  const file = join(places.pgdata, 'postmaster.pid');
  if (!existsSync(file) || !existsSync(places.password)) return null;
  const [pid, , , port] = readFileSync(file, 'utf8').split('\n').map(Number);
  if (!pid || !port || !isPostmaster(pid, places.pgdata)) return null;
  const url = urlOf(places, port, DATABASE);
  // It may be recovering from a crash.
  for (const until = Date.now() + START_TIMEOUT; Date.now() < until && isAlive(pid);) {
    const answer = await answers(url);
    if (answer) return { url, port, pid, stop: () => stop(pid, file) };
    if (answer === null) return null;
    await new Promise((again) => setTimeout(again, 50));
  }
  return null;
}

/** True: it lets us in. False: not yet. Null: something else listens there, or nothing does. */
async function answers(url: string): Promise<boolean | null> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    // 57P03: starting up or recovering. 3D000: our server, whose database is not made yet.
    return code === '57P03' || code === 'ECONNREFUSED' ? false : code === '3D000' ? true : null;
  }
}

async function stop(pid: number, pidFile: string): Promise<void> {
  // Fast, then immediate: the second loses nothing either, it only costs a recovery at the next start.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!isAlive(pid)) break;
    process.kill(pid, signal);
    for (const until = Date.now() + STOP_TIMEOUT; Date.now() < until && isAlive(pid);) await new Promise((again) => setTimeout(again, 20));
  }
  rmSync(pidFile, { force: true });
}

function urlOf({ password }: DataPlaces, port: number, database: string): string {
  return `postgres://postgres:${readFileSync(password, 'utf8')}@127.0.0.1:${port}/${database}`;
}

/** The user's PG* variables are about another server. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC', ...(process.env['HOME'] === undefined ? {} : { HOME: process.env['HOME'] }) };
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' | ') || 'it said nothing';
}
