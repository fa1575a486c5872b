import { randomBytes } from 'node:crypto';
import { Client, type QueryResultRow } from 'pg';
import { runMigrations } from '../../src/database/migrator';
import { connect } from '../../src/database/postgres';
import type { CaptureDefinition } from '../../src/event/definitions';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';

const TEMPLATE = 'observers_test_template';

/** A database of a test's own, with our schema in it. */
export interface TestDatabase {
  readonly url: string;
  readonly client: Client;
  query<R extends QueryResultRow = QueryResultRow>(sql: string, values?: unknown[]): Promise<R[]>;
  /** Captures a table as the observers file would. */
  capture(table: string, options?: Partial<CaptureDefinition>): Promise<void>;
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  readonly migrate?: boolean;
  /** Another than the server's own. */
  readonly encoding?: string | null;
}

export async function createTestDatabase({ migrate = true, encoding = null }: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `observers_test_${randomBytes(6).toString('hex')}`;
  if (migrate && encoding === null) await ensureTemplate();
  await onServer(async (server) => {
    if (encoding !== null)
      return void (await server.query(`create database ${name} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`));
    await server.query(`create database ${name}${migrate ? ` template ${TEMPLATE}` : ''}`);
  });
  const url = urlFor(name);
  if (encoding !== null && migrate) await runMigrations(url);
  const client = await connectAsApplication(url, 'test');
  return {
    url,
    client,
    query: async (sql, values) => (await client.query(sql, values)).rows as never,
    capture: async (table, options) => applyCapture(client, await planCapture(client, [captureOf(table, options)])),
    drop: async () => {
      const leaked = await leakedSecrets(client, url);
      await client.end();
      await onServer((server) => server.query(`drop database ${name} with (force)`));
      if (leaked.length > 0) throw new Error(`a secret that a test gave out stands in ${leaked.join(', ')}`);
    },
  };
}

/** A connection whose names are found on the role's own path, as those of an application are. */
export async function connectAsApplication(url: string, role: string): Promise<Client> {
  const client = await connect(url, role);
  await client.query('set search_path to default');
  return client;
}

/** Tests give out secrets as CANARY-…: none of our tables may hold one, whatever the test is about. */
async function leakedSecrets(client: Client, url: string): Promise<string[]> {
  const soon = new Promise<null>((resolve) => setTimeout(resolve, PATIENCE, null).unref());
  const found = await Promise.race([asIfNew(client).then(leakedIn), soon]).catch(() => null);
  if (found !== null) return found;
  // The test has ended its client, or it waits for something still.
  const another = await connect(url, 'test');
  try {
    return await leakedIn(another);
  } finally {
    await another.end();
  }
}

/** Of a test's own client, in milliseconds. */
const PATIENCE = 3_000;

async function asIfNew(client: Client): Promise<Client> {
  await client.query('rollback');
  await client.query('discard all');
  return client;
}

// One query for all tables: a round trip for each was half of what it takes to drop a database.
const SEARCHES = `
  select string_agg(format('select %L as name where exists (select from %s t where t::text ~ ''CANARY-|Q0FOQVJZL'')', oid::regclass, oid::regclass), ' union all ') as sql
  from pg_class where relnamespace = to_regnamespace('observers') and relkind in ('r', 'p') and not relispartition`;

async function leakedIn(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ sql: string | null }>(SEARCHES);
  const sql = rows[0]?.sql ?? null;
  if (sql === null) return [];
  return (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name);
}

export function captureOf(table: string, options: Partial<CaptureDefinition> = {}): CaptureDefinition {
  return {
    table,
    entity: 'Order',
    key: null,
    before: true,
    tenant: null,
    include: null,
    exclude: [],
    mask: {},
    when: null,
    strict: false,
    ...options,
  };
}

/** Migrated once per server; later databases are copies, which takes 50 ms instead of 500. */
function ensureTemplate(): Promise<void> {
  return (template ??= onServer(makeTemplate));
}

let template: Promise<void> | null = null;

async function makeTemplate(server: Client): Promise<void> {
  await server.query("select pg_advisory_lock(hashtext('observers test template'))");
  try {
    const { rowCount } = await server.query('select from pg_database where datname = $1', [TEMPLATE]);
    if (rowCount === 1) return;
    await server.query(`create database ${TEMPLATE}_new`);
    await runMigrations(urlFor(`${TEMPLATE}_new`));
    await server.query(`alter database ${TEMPLATE}_new rename to ${TEMPLATE}`);
  } finally {
    await server.query("select pg_advisory_unlock(hashtext('observers test template'))");
  }
}

export function urlFor(database: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  return url.toString();
}

export function serverUrl(): string {
  const url = process.env['TEST_POSTGRES_URL'];
  if (url === undefined) throw new Error('the test server is not running: tests run through jest');
  return url;
}

/** With a connection to the server that the tests of a file share: to connect takes longer than most of what is asked. */
export async function onServer<T>(work: (server: Client) => Promise<T>): Promise<T> {
  if (ended) {
    const server = await connectToServer();
    return work(server).finally(() => server.end());
  }
  return work(await (shared ??= connectToServer()));
}

let shared: Promise<Client> | null = null;
let ended = false;

async function connectToServer(): Promise<Client> {
  const server = new Client({ connectionString: serverUrl() });
  server.on('error', () => (shared = null));
  await server.connect();
  return server;
}

if (typeof afterAll === 'function')
  afterAll(async () => {
    ended = true;
    await (await shared)?.end();
  });
