import type { ClientBase } from 'pg';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { advanceBackfill } from './backfill.sql';
import { transaction } from '../database/transaction';
import { requireTheSame } from './trust';
import { reading, TEXTS, unanswerable, type BackfillTarget } from './target';

/** What became of one chunk. `in the way`: another transaction holds a row or the table, or it took too long; nothing was done. */
export type Chunk =
  | { readonly is: 'done'; readonly rows: number; readonly failed: number; readonly passed: readonly string[] }
  | { readonly is: 'nothing left' }
  | { readonly is: 'in the way'; readonly message: string }
  /** Its rows are too large to be held at once. */
  | { readonly is: 'too large' }
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

/** Bytes of the images of one chunk: they go through this process. One row may have more. */
const LARGEST = 16 * 1_048_576;
/** Parameters of one statement, of 65,535. */
const PARAMETERS = 60_000;

/**
 * Functions of the table's owner run on `reader` alone, as the role of the capture, in transactions that cannot write and never commit. In
 * one that commits they could leave something for the commit, which runs it as whoever commits: a cursor WITH HOLD, a deferred trigger.
 */
export interface BackfillClients {
  readonly writer: ClientBase;
  readonly reader: ClientBase;
}

/** As `images` gives them. */
type Image = readonly [
  bytes: number | null,
  isRow: boolean,
  key: string | null,
  id: string | null,
  data: string | null,
  tenant: string | null,
];

/**
 * Up to `size` rows behind `behind` into the log, and how far it has come: both or neither. The rows are locked by `writer`, so that what
 * `reader` then sees of them is what they are until the commit.
 *
 * @param broken why its only row cannot be written whole; null: it is to be
 */
export async function recordChunk(
  { writer, reader }: BackfillClients,
  target: BackfillTarget,
  owner: ChunkOwner,
  behind: readonly string[] | null,
  size: number,
  broken: string | null = null,
): Promise<Chunk> {
  const { lock, statement } = size === 1 ? PATIENCE_OF_ONE : PATIENCE;
  const waits = `set local lock_timeout = ${lock}`;
  const inTime = `${waits}; set local statement_timeout = ${statement}`;
  const most = Math.min(size, Math.max(1, Math.floor(PARAMETERS / target.subject.keys.length)));
  let picked = false;
  const record = async (): Promise<Chunk> => {
    if (!(await requireTheSame(writer, target.subject))) return { is: 'not ours', message: null };
    const keys = await reading(reader, () => ask<string[]>(reader, target.rows.keys(behind !== null), [most, ...(behind ?? [])]), waits);
    picked = true;
    const passed = keys.at(-1);
    if (passed === undefined) return { is: 'nothing left' };
    await writer.query(inTime);
    const distinct = [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
    const locked = await ask<[place: string, relation: string]>(writer, target.rows.lock(distinct.length), distinct.flat());
    const places = [locked.map(([place]) => place), locked.map(([, relation]) => relation)];
    const limit = size === 1 ? Number.MAX_SAFE_INTEGER : LARGEST;
    const found = await reading(reader, () => ask<Image>(reader, target.rows.images, [...places, broken === null, limit]), inTime);
    if ((found[0]?.[0] ?? 0) > limit) return { is: 'too large' };
    const images = found.filter(([, isRow]) => isRow);
    await insert(writer, target, images, owner, broken);
    const [rows, failed] = [images.length, broken === null ? 0 : images.length];
    const ours = await advanceBackfill(writer, owner, { passed, done: rows, failed }, target);
    return ours ? { is: 'done', rows, failed, passed } : { is: 'not ours', message: null };
  };
  const begin = `begin transaction isolation level read committed read write; ${TEXTS}; ${waits}`;
  return transaction(writer, begin, record, ({ is }) => is === 'done').catch((error: unknown) => failureOf(error, picked, broken !== null));
}

async function ask<T>(client: ClientBase, text: string, values: unknown[]): Promise<T[]> {
  const { rows } = await client.query({ text, values, rowMode: 'array' });
  return rows as unknown as T[];
}

async function insert(
  writer: ClientBase,
  { rows, subject }: BackfillTarget,
  images: readonly Image[],
  { id }: ChunkOwner,
  broken: string | null,
): Promise<void> {
  if (images.length === 0) return;
  const metadata = { backfill: { id, observers: subject.observers }, ...(broken === null ? {} : { capture_error: broken }) };
  await writer.query(rows.record, [JSON.stringify(metadata), ...([2, 3, 4, 5] as const).map((i) => images.map((image) => image[i]))]);
}

function failureOf(error: unknown, picked: boolean, broken: boolean): Chunk {
  const { code = '', constraint } = error as { code?: string; constraint?: string };
  if (IN_THE_WAY.test(code)) return { is: 'in the way', message: messageOf(error) };
  if (ABOUT_A_ROW.test(code)) {
    if (picked && !broken) return { is: 'broken', message: `${code} ${messageOf(error)}`.slice(0, 1_000) };
    throw unanswerable(error);
  }
  // A column, a function or the table itself is gone, or has another name; or a view has its name, which is not read (55000).
  if (/^(42(P01|703|883|804)|55000)$/.test(code)) return { is: 'not ours', message: messageOf(error) };
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
