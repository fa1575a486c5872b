import type { ClientBase } from 'pg';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { advanceBackfill } from './backfill.sql';
import { SESSION, unanswerable, type BackfillTarget } from './target';

/** What became of one chunk. `in the way`: another transaction holds a row or the table, or it took too long; nothing was done. */
export type Chunk =
  | { readonly is: 'done'; readonly rows: number; readonly failed: number; readonly passed: readonly string[] }
  | { readonly is: 'nothing left' }
  | { readonly is: 'in the way'; readonly message: string }
  /** A row cannot be written whole. */
  | { readonly is: 'broken'; readonly message: string }
  /** The backfill, the capture or the table is no longer what it was. */
  | { readonly is: 'not ours'; /** Of the database; null: it took no notice. */ readonly message: string | null };

export interface ChunkOwner {
  readonly id: string;
  readonly run: string;
}

// Locks on rows are held from the first to the commit. PostgreSQL breaks a deadlock after a second (deadlock_timeout), and it may break
// the other one's: a chunk gives up long before. A chunk of one row holds no lock while it waits for its only one, and may wait.
const PATIENCE = { lock: 100, statement: 1_000 };
const PATIENCE_OF_ONE = { lock: 1_000, statement: 60_000 };

const IN_THE_WAY = /^(55P03|40P01|40001|57014)$/;
const ABOUT_A_ROW = /^(2[12]|54|P0|38|39|XX)/;

/**
 * Up to `size` rows behind `behind` into the log, and how far it has come: both or neither.
 *
 * @param broken why its only row cannot be written whole; null: it is to be
 */
export async function recordChunk(
  client: ClientBase,
  target: BackfillTarget,
  owner: ChunkOwner,
  behind: readonly string[] | null,
  size: number,
  broken: string | null = null,
): Promise<Chunk> {
  const { lock, statement } = size === 1 ? PATIENCE_OF_ONE : PATIENCE;
  await client.query(`begin transaction isolation level read committed read write; ${SESSION}; set local lock_timeout = ${lock}`);
  let picked = false;
  try {
    const found = await client.query({ text: target.rows.keys(behind !== null), values: [size, ...(behind ?? [])], rowMode: 'array' });
    picked = true;
    const keys = found.rows as unknown as string[][];
    const passed = keys.at(-1);
    if (passed === undefined) return await ended(client, { is: 'nothing left' });
    await client.query(`set local statement_timeout = ${statement}`);
    const metadata = {
      backfill: { id: owner.id, observers: target.subject.observers },
      ...(broken === null ? {} : { capture_error: broken }),
    };
    const sql = broken === null ? target.rows.record : target.rows.recordKey;
    const columns = passed.map((_, column) => keys.map((key) => key[column]));
    const written = await client.query(sql, [JSON.stringify(metadata), ...columns]);
    await client.query('set local search_path to pg_catalog, pg_temp');
    const rows = written.rowCount ?? 0;
    const failed = broken === null ? 0 : rows;
    const ours = await advanceBackfill(client, owner, { passed, done: rows, failed }, target);
    if (!ours) return await ended(client, { is: 'not ours', message: null });
    await client.query('commit');
    return { is: 'done', rows, failed, passed };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    return failureOf(error, picked, broken !== null);
  }
}

async function ended(client: ClientBase, chunk: Chunk): Promise<Chunk> {
  await client.query('rollback');
  return chunk;
}

function failureOf(error: unknown, picked: boolean, broken: boolean): Chunk {
  const { code = '', constraint } = error as { code?: string; constraint?: string };
  if (IN_THE_WAY.test(code)) return { is: 'in the way', message: messageOf(error) };
  if (ABOUT_A_ROW.test(code)) {
    if (picked && !broken) return { is: 'broken', message: `${code} ${messageOf(error)}`.slice(0, 1_000) };
    throw unanswerable(error);
  }
  // A column, a function or the table itself is gone, or has another name.
  if (/^42(P01|703|883|804)$/.test(code)) return { is: 'not ours', message: messageOf(error) };
  if (/^23/.test(code)) {
    throw new OperatorError(
      `the change log does not take rows of a backfill: ${messageOf(error)}`,
      `A constraint of the database's own stands on core.tb_entity_change_log${constraint === undefined ? '' : ` (${constraint})`}: allow modification_type 'BACKFILL' there.`,
      ExitCode.configuration,
      { cause: error },
    );
  }
  throw error;
}
