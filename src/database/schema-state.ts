import type { ClientBase } from 'pg';
import { MIGRATIONS } from '../../migrations/index';
import { counted } from '../event/counted';
import { ExitCode, OperatorError } from '../event/errors';
import { NOT_ALLOWED } from './grants';

/** In the order in which they run. */
export const KNOWN_MIGRATIONS: readonly string[] = MIGRATIONS.map((migration) => new migration().name);

const MIGRATE = 'Run: fraiseql-observers migrate';
/** Neither the schema nor its table of migrations is there. */
const NOT_THERE = new Set(['42P01', '3F000']);

/** Names of the migrations that this database has had. */
export async function readApplied(client: ClientBase): Promise<Set<string>> {
  try {
    const { rows } = await client.query<{ name: string }>('select name from observers.migration');
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    if (NOT_THERE.has((error as { code?: string }).code ?? '')) return new Set();
    throw error;
  }
}

/** A newer release has migrated the database. */
export class NewerSchema extends OperatorError {
  constructor(newer: readonly string[]) {
    super(
      `the database's schema is newer than this program: it has ${newer.join(', ')}`,
      'Run the version of fraiseql-observers that migrated it, or a later one.',
    );
  }
}

/** @throws NewerSchema */
export function refuseNewer(applied: ReadonlySet<string>): void {
  const newer = [...applied].filter((name) => !KNOWN_MIGRATIONS.includes(name));
  if (newer.length > 0) throw new NewerSchema(newer);
}

/** @throws OperatorError when the database was not migrated for this program: what it would be told could be wrong */
export async function requireSchema(client: ClientBase): Promise<void> {
  const applied = await readApplied(client).catch((error: unknown) => {
    // Whoever may not even read that is told so by what comes next, with the rights that are lacking.
    if ((error as { code?: string }).code === NOT_ALLOWED) return null;
    throw error;
  });
  if (applied === null) return;
  if (applied.size === 0) throw new OperatorError('the database is not prepared yet: nothing of this product is in it', MIGRATE, ExitCode.connection); // prettier-ignore
  refuseNewer(applied);
  const pending = KNOWN_MIGRATIONS.filter((name) => !applied.has(name));
  if (pending.length === 0) return;
  throw new OperatorError(
    `the database is not prepared for this release: ${counted(pending.length, 'migration is', 'migrations are')} pending, from ${pending[0]} on`,
    MIGRATE,
    ExitCode.connection,
  );
}
