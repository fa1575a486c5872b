import fc from 'fast-check';
import type { Client } from 'pg';
import { BEGINNING, type Cursor } from '../../src/checkpoint/cursor';
import { connect } from '../../src/database/postgres';
import { readPage } from '../../src/change-log/change-log.sql';
import { connectAsApplication, createTestDatabase, type TestDatabase } from '../support/database';

// Several connections each run transactions step by step, in an order that fast-check chooses, while a reader reads pages of a size that
// it chooses and now and then forgets all but its stored cursor. Whatever is committed must be read exactly once, rows of one entity in order.

const WRITERS = 4;

type Step =
  | { readonly is: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback to savepoint'; readonly writer: number }
  | { readonly is: 'write'; readonly writer: number; readonly entity: number }
  | { readonly is: 'read'; readonly rows: number }
  | { readonly is: 'restart' };

const writer = fc.nat(WRITERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('write' as const), writer, entity: fc.nat(5) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constantFrom(
        'begin' as const,
        'commit' as const,
        'commit' as const,
        'rollback' as const,
        'savepoint' as const,
        'rollback to savepoint' as const,
      ),
      writer,
    }),
  },
  { weight: 5, arbitrary: fc.record({ is: fc.constant('read' as const), rows: fc.integer({ min: 1, max: 7 }) }) },
  { weight: 1, arbitrary: fc.constant({ is: 'restart' as const }) },
);

let database: TestDatabase;
let reader: Client;
let writers: Writer[];

beforeAll(async () => {
  database = await createTestDatabase();
  reader = await connect(database.url, 'test reader');
  await reader.query('set plan_cache_mode = force_generic_plan; set enable_seqscan = off');
  await database.query('create table item (id int primary key, version int)');
  await database.capture('public.item', { entity: 'Item' });
  writers = [];
  for (let i = 0; i < WRITERS; i++) writers.push(new Writer(await connectAsApplication(database.url, 'test writer')));
});

afterAll(async () => {
  await reader.end();
  for (const one of writers) await one.client.end();
  await database.drop();
});

/** One connection and where it stands; rows that another one has locked are left alone, so that no step waits. */
class Writer {
  open = false;
  savepoint = false;
  constructor(readonly client: Client) {}

  async take(action: Exclude<Step, { is: 'read' | 'restart' }>): Promise<void> {
    switch (action.is) {
      case 'begin':
        if (!this.open) await this.client.query('begin');
        this.open = true;
        return;
      case 'commit':
      case 'rollback':
        if (this.open) await this.client.query(action.is);
        this.open = this.savepoint = false;
        return;
      case 'savepoint':
        if (this.open) await this.client.query('savepoint s');
        this.savepoint = this.open;
        return;
      case 'rollback to savepoint':
        if (this.savepoint) await this.client.query('rollback to savepoint s');
        return;
      case 'write':
        await this.client.query(
          'update item set version = version + 1 where id in (select id from item where id = $1 for update skip locked)',
          [action.entity],
        );
    }
  }
}

// Of the window under way, as the reader keeps it in memory.
let floor: string | null = null;

async function readSome(cursor: Cursor, rows: number, seen: string[]): Promise<Cursor> {
  const page = await readPage(reader, cursor, { rows, bytes: 1_000_000, eventBytes: 1_000_000 }, floor);
  floor = page.last ? null : page.floor;
  for (const [number] of page.rows) seen.push(number);
  if (page.last) return { previous: page.target, target: null, after: 0 };
  return { previous: cursor.previous, target: page.target, after: Number(page.rows.at(-1)?.[0] ?? cursor.after) };
}

test('random interleavings: every committed change is read exactly once, changes of one entity in commit order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      await database.query('truncate core.tb_entity_change_log; truncate item; insert into item select i, 0 from generate_series(0, 5) i');
      const seen: string[] = [];
      let cursor: Cursor = BEGINNING;
      floor = null;
      let stored = { cursor, count: 0 };
      for (const next of steps) {
        if (next.is === 'read') {
          cursor = await readSome(cursor, next.rows, seen);
          // The checkpoint is stored now and then, as by a ledger that is behind; a restart goes back to it.
          if (next.rows % 2 === 0) stored = { cursor, count: seen.length };
        } else if (next.is === 'restart') {
          cursor = stored.cursor;
          floor = null;
          seen.length = stored.count;
        } else await writers[next.writer]?.take(next);
      }
      for (const one of writers) await one.take({ is: 'commit', writer: 0 });
      for (let quiet = 0; quiet < 2;) {
        const before = seen.length;
        cursor = await readSome(cursor, 5, seen);
        quiet = seen.length === before && cursor.target === null ? quiet + 1 : 0;
      }
      const truth = await database.query<{ n: string; key: string; version: number }>(
        "select pk_entity_change_log::text as n, object_key as key, (object_data->>'version')::int as version from core.tb_entity_change_log where modification_type <> 'CUSTOM' order by 1",
      );
      expect([...seen].filter((n) => truth.some((row) => row.n === n)).sort()).toEqual(truth.map(({ n }) => n).sort());
      const last = new Map<string, number>();
      for (const n of seen) {
        const row = truth.find((candidate) => candidate.n === n);
        if (row === undefined) continue;
        expect(row.version).toBeGreaterThanOrEqual(last.get(row.key) ?? -1);
        last.set(row.key, row.version);
      }
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 60) },
  );
});

test('a transaction that stays open delays only its own changes', async () => {
  await database.query('truncate core.tb_entity_change_log; truncate item; insert into item select i, 0 from generate_series(0, 5) i');
  const [slow, fast] = writers as [Writer, Writer];
  await slow.take({ is: 'begin', writer: 0 });
  await slow.take({ is: 'write', writer: 0, entity: 0 });
  let cursor: Cursor = BEGINNING;
  const seen: string[] = [];
  for (let i = 0; i < 20; i++) {
    await fast.take({ is: 'write', writer: 1, entity: 1 + (i % 5) });
    cursor = await readSome(cursor, 100, seen);
  }
  // One for the truncate of the table, six inserts, twenty updates.
  expect(seen).toHaveLength(27);
  await slow.take({ is: 'commit', writer: 0 });
  await readSome(cursor, 100, seen);
  expect(seen).toHaveLength(28);
});
