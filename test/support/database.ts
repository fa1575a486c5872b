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
  await onServer(async (server) => {
    if (encoding !== null)
      return void (await server.query(`create database ${name} encoding '${encoding}' lc_collate 'C' lc_ctype 'C' template template0`));
    if (migrate) await ensureTemplate(server);
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
      await client.end();
      const leaked = await leakedSecrets(url);
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
async function leakedSecrets(url: string): Promise<string[]> {
  const database = await connect(url, 'test');
  try {
    const { rows } = await database.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'observers'`,
    );
    const leaked: string[] = [];
    for (const { name } of rows) {
      const { rowCount } = await database.query(`select from ${name} t where t::text ~ 'CANARY-|Q0FOQVJZL' limit 1`);
      if (rowCount === 1) leaked.push(name);
    }
    return leaked;
  } finally {
    await database.end();
  }
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
async function ensureTemplate(server: Client): Promise<void> {
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

export async function onServer<T>(work: (server: Client) => Promise<T>): Promise<T> {
  const server = new Client({ connectionString: serverUrl() });
  await server.connect();
  try {
    return await work(server);
  } finally {
    await server.end();
  }
}
