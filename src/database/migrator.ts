import type { Client } from 'pg';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { explainMigrationRefusal, NOT_ALLOWED, requireOwnership } from './grants';
import { withMigrationLock } from './migration-lock';
import { inPlainWords } from './plain-words';
import { connect } from './postgres';
import { renewGrants } from './roles/plan';
import { KNOWN_MIGRATIONS, readApplied, refuseNewer } from './schema-state';

const OLDEST_SERVER = 140_000;

export interface MigrationState {
  readonly name: string;
  readonly applied: boolean;
}

/** What is applied and what is pending. @throws OperatorError when the server is too old or the schema newer than this program. */
export async function listMigrations(url: string): Promise<MigrationState[]> {
  return withClient(url, async (client) => {
    const applied = await appliedMigrations(client);
    return KNOWN_MIGRATIONS.map((name) => ({ name, applied: applied.has(name) }));
  });
}

/**
 * Applies what is pending, one transaction each, and can be run again at any time.
 *
 * @param options.patience milliseconds to wait for another migration
 * @returns the names of those it applied
 * @throws OperatorError when the server is too old, the schema is newer than this program, another one runs, or a grant is missing (and says which)
 */
export async function runMigrations(url: string, { patience }: { readonly patience?: number } = {}): Promise<string[]> {
  return withClient(url, async (client) => {
    if ((await appliedMigrations(client)).size === KNOWN_MIGRATIONS.length) return [];
    return withMigrationLock(url, () => applyPending(url, client), patience);
  });
}

async function applyPending(url: string, client: Client): Promise<string[]> {
  // Before anything is made that would belong to the wrong role.
  await requireOwnership(client);
  const before = await appliedMigrations(client);
  // Loading TypeORM takes a tenth of a start, and a start on a database that is up to date has no use for it.
  const { MigrationSource } = await import('./migration-source');
  const source = MigrationSource.silent(url);
  try {
    await source.initialize();
    await source.runMigrations();
    // Rights on tables that it made.
    await renewGrants(client);
  } finally {
    if (source.isInitialized) await source.destroy();
  }
  return KNOWN_MIGRATIONS.filter((name) => !before.has(name));
}

/** Names of the applied migrations, after checking that this program can work with them. */
async function appliedMigrations(client: Client): Promise<Set<string>> {
  const { rows: server } = await client.query<{ version: number; text: string }>(
    "select current_setting('server_version_num')::int as version, current_setting('server_version') as text",
  );
  requireSupported(server[0]?.version ?? 0, server[0]?.text ?? 'of unknown version');
  const applied = await readApplied(client);
  refuseNewer(applied);
  return applied;
}

/** @throws OperatorError for a server that is too old; `version` as in server_version_num */
export function requireSupported(version: number, text: string): void {
  if (version >= OLDEST_SERVER) return;
  throw new OperatorError(
    `PostgreSQL ${text} is too old: 14 is the oldest that works`,
    'Upgrade the server, or point DATABASE_URL to another one.',
    ExitCode.connection,
  );
}

async function explainFailure(client: Client, error: unknown): Promise<Error> {
  if ((error as { code?: string }).code === NOT_ALLOWED) return explainMigrationRefusal(client, error);
  if (error instanceof OperatorError) return error;
  const known = inPlainWords(error);
  const remedy = known instanceof OperatorError ? known.remedy : null;
  const message = known instanceof Error ? known.message : messageOf(known);
  const applied = await appliedMigrations(client).catch(() => null);
  const failed = applied === null ? undefined : KNOWN_MIGRATIONS.find((name) => !applied.has(name));
  return new OperatorError(
    failed === undefined ? message : `the migration ${failed} cannot run: ${message}`,
    remedy ??
      'Mend what PostgreSQL says there, then run: fraiseql-observers migrate. What was applied before it stays, and is not run again.',
    ExitCode.connection,
    { cause: error },
  );
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(url, 'migrate');
  try {
    return await work(client);
  } catch (error) {
    throw await explainFailure(client, error);
  } finally {
    await client.end();
  }
}
