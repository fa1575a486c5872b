import { Pool, type Client, type ClientBase, type ClientConfig, type PoolConfig } from 'pg';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { PinnedClient, type SessionSettings } from './pinned-client';

const APPLICATION = 'fraiseql-observers';

/**
 * A half-open connection never reports an error: only an answer that does not come shows it. Our statements take milliseconds, so one
 * that is silent for so long (ms) will not answer any more.
 */
const ANSWER_TIMEOUT = 8_000;
const GOODBYE_TIMEOUT = 500;

/**
 * A pool for short statements, whose sessions are pinned (see PinnedClient).
 *
 * @param options.statementTimeout milliseconds after which PostgreSQL itself gives a statement up: before the driver does, or nobody would
 * read what it goes on to work out
 */
export function createPool(
  url: string,
  size: number,
  { role = '', statementTimeout = ANSWER_TIMEOUT - 500 }: { readonly role?: string; readonly statementTimeout?: number } = {},
): Pool {
  const limits = { max: size, idleTimeoutMillis: 30_000, query_timeout: ANSWER_TIMEOUT };
  const pool = new Pool({ ...connection(url, role), ...limits, ...pinnedPool({ statement_timeout: String(statementTimeout) }) });
  // An idle connection that dies (a restart of PostgreSQL) must not end the process; the next query gets another one.
  pool.on('error', () => undefined);
  return pool;
}

/** What makes the connections of a pool of the driver's pinned ones. */
export function pinnedPool(more: SessionSettings = {}): Pick<PoolConfig, 'Client' | 'onConnect'> {
  // pg-pool waits for the promise before it hands the connection out; its types do not say so.
  const onConnect = (async (client: ClientBase) => {
    client.on('error', () => undefined);
    await (client as PinnedClient).pin(more);
  }) as (client: ClientBase) => void;
  return { Client: PinnedClient, onConnect };
}

/**
 * A connection of its own, for reading the log or for LISTEN. TCP keep-alive finds a peer that vanished without a word.
 *
 * @param role appended to the application name, for whoever looks into pg_stat_activity
 * @param mustAnswer for short statements: one that does not answer within seconds fails, and the connection counts as lost
 */
export async function connect(url: string, role: string, mustAnswer = false): Promise<Client> {
  const client = new PinnedClient({ ...connection(url, ` ${role}`), ...(mustAnswer ? { query_timeout: ANSWER_TIMEOUT } : {}) });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.pin();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw connectionError(url, error);
  }
  return client;
}

/** Ends a connection, and does not wait long for a server that may be gone. */
export async function disconnect(client: Client): Promise<void> {
  const timer = setTimeout(() => destroySocket(client), GOODBYE_TIMEOUT);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
}

/** Cuts a connection without a word. */
export function destroySocket(client: ClientBase): void {
  (client as ClientBase & { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

function connection(url: string, suffix: string): ClientConfig {
  return {
    connectionString: url,
    application_name: APPLICATION + suffix,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    connectionTimeoutMillis: 5_000,
  };
}

/** A failure to connect in the operator's words; the URL appears without its password. */
export function connectionError(url: string, error: unknown): OperatorError {
  const { code = '' } = error as { code?: string };
  const where = describeUrl(url);
  const message = messageOf(error);
  // The driver's own complaints have no code.
  const known = CONNECTION_REMEDIES[code] ?? DRIVER_REMEDIES.find(([pattern]) => pattern.test(message))?.[1];
  const remedy = (known ?? 'Check DATABASE_URL and that the server is reachable.').replace('{where}', () => where);
  return new OperatorError(`cannot connect to PostgreSQL at ${where}: ${message}`, remedy, ExitCode.connection, { cause: error });
}

const CONNECTION_REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'No server listens at {where}. Start it, or correct host and port in DATABASE_URL.',
  ENOTFOUND: 'The host name in DATABASE_URL does not resolve. Correct it.',
  '28P01': 'The password in DATABASE_URL is wrong for this user. Correct it, or reset it with: alter role … password …',
  '28000': 'The server does not let this user in from here. Check pg_hba.conf and the user in DATABASE_URL.',
  '3D000': 'The database in DATABASE_URL does not exist. Create it with: createdb …',
  EAI_AGAIN: 'The host name in DATABASE_URL does not resolve at the moment. Check the name server, or correct the name.',
  '53300': 'No connection is left. Raise max_connections or the connection limit of the role, or lower OBSERVERS_DATABASE_POOL.',
};

const DRIVER_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /conversion between UTF8 and \w+ is not supported/,
    'PostgreSQL cannot convert the encoding of this database to UTF-8, so that nothing of it can be read. Move to a database of encoding UTF8: createdb --encoding=UTF8 --template=template0, pg_dump, psql.',
  ],
  [
    /password must be a string|no password/i,
    'The server asks for a password. Put the password in DATABASE_URL: postgres://user:password@…',
  ],
  [/timeout/i, 'Something at {where} accepts connections and does not answer. Check for a firewall, a stopped server, or a wrong port.'],
  [/does not support SSL/, 'The server offers no TLS. Switch TLS on there, or take sslmode=require out of DATABASE_URL.'],
  [/certificate/i, 'The certificate of the server was not accepted. Give its authority with sslrootcert=FILE in DATABASE_URL.'],
];

/** `host:port/database`, for people. */
export function describeUrl(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    return `${hostname || searchParams.get('host') || 'localhost'}:${port || '5432'}${pathname}`;
  } catch {
    return 'the address in DATABASE_URL';
  }
}

// Class 08 (connection), 57P (shutdown, crash, restart), 53 (resources), 40 (serialisation, deadlock), 55P03 (lock), 25006 (a standby,
// for a moment, during failover). Everything else would fail again in the same way.
const RETRYABLE_SQLSTATE = /^(08|53|40|57P0[1-5]|55P03|25006)/;

/** Whether the same statement may succeed later: a lost or refused connection, a restart, a conflict. */
export function isRetryable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return RETRYABLE_SQLSTATE.test(code);
  // pg reports a dropped socket as a bare Error, and Node as ECONNRESET and the like.
  return error instanceof Error && !(error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError);
}

// With these PostgreSQL itself ends a session, perhaps between a commit and its answer.
const SESSION_ENDED = /^(08|57P)/;

/** Whether PostgreSQL said no, so that a statement has done nothing. Of all other failures that is not known. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !SESSION_ENDED.test(code);
}

/** Whether PostgreSQL gave the statement up because it took too long, or because somebody asked for that. The connection goes on. */
export function isCancelled(error: unknown): boolean {
  return (error as { code?: unknown }).code === '57014';
}

/** Whether somebody else had the table, or what else was to be locked, for longer than lock_timeout. */
export function isLocked(error: unknown): boolean {
  return (error as { code?: unknown }).code === '55P03';
}

/** Whether the driver gave the statement up, for the server did not answer. The connection is lost. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout';
}

// Class 22 (data), 23 (constraints), 54 (limits: an index entry that is too long), and the memory that one value may take.
const UNWRITABLE = /^(22|23|54)/;

/** Whether it is for what it says that a statement fails: it would fail for ever, and another one would not. */
export function isUnwritable(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return error instanceof RangeError;
  return UNWRITABLE.test(code) || (code === 'XX000' && /invalid memory alloc request size|string buffer exceeds/.test(messageOf(error)));
}
