import { Client, type QueryResult } from 'pg';
import { findChange } from '../../src/change-log/changes-by-id.sql';
import { findQuarantined } from '../../src/delivery/quarantine.sql';
import { showDeadLetter } from '../../src/redrive/dead-letters.sql';
import { discardItems, requestRetries } from '../../src/redrive/redrive.sql';
import { changeNumberIn } from '../../src/event/event-id';
import { latestChanges } from '../../src/explain/facts.sql';
import { listEvents } from '../../src/explain/stored-events.sql';
import { selectChanges, type ChangeRange } from '../../src/change-log/stored-changes.sql';
import { createPool } from '../../src/database/postgres';
import { createTestDatabase, type TestDatabase } from '../support/database';

const ROWS = 200_000;
// As docs/capture.md gives it.
const HISTORY_INDEX = [
  'create index concurrently change_log_history on core.tb_entity_change_log using hash ((coalesce(object_key, object_id::text)))',
  'analyze core.tb_entity_change_log',
];
const PRIMARY_KEY = ['tb_entity_change_log_pkey'];

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  // In many transactions, as writers make them.
  await database.query(`do $$ begin for t in 0..599 loop
    insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data)
    select 'Order', i % 20000, 'UPDATE', json_build_object('id', i % 20000, 'status', 'new') from generate_series(t + 1, ${ROWS}, 600) i;
    commit;
  end loop; end $$`);
  // Every tenth change has an id that an application made, and lies in quarantine.
  await database.query('update core.tb_entity_change_log set id = gen_random_uuid() where pk_entity_change_log % 10 = 0');
  await database.query(
    `insert into observers.quarantine (change_number, stream, reason, message)
     select pk_entity_change_log, 'main', 'unknown_verb', 'x' from core.tb_entity_change_log where pk_entity_change_log % 10 < 2`,
  );
  await database.query('vacuum analyze core.tb_entity_change_log');
  await database.query('analyze observers.quarantine');
});

afterAll(() => database.drop());

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

/** Does the work, and tells how each of its statements reads the change log. */
async function plansOf<T>(work: (client: Client) => Promise<T>): Promise<{ result: T; plans: string[] }> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const query = client.query.bind(client) as (sql: string, values?: unknown[]) => Promise<QueryResult<{ 'QUERY PLAN': { Plan: Plan }[] }>>;
  const plans: string[] = [];
  const collect = ({ Plans = [], ...node }: Plan): void => {
    if (node['Relation Name'] === 'tb_entity_change_log') plans.push(node['Index Name'] ?? node['Node Type']);
    else if (node['Node Type'] === 'Bitmap Index Scan' && node['Index Name']?.includes('change_log')) plans.push(node['Index Name']);
    for (const plan of Plans) collect(plan);
  };
  const explained = async (sql: string, values: unknown[] = []): Promise<unknown> => {
    if (/^\s*(select|with|update|insert|delete)\b/i.test(sql)) {
      const { rows } = await query(`explain (format json) ${sql}`, values);
      for (const { Plan: plan } of rows[0]!['QUERY PLAN']) collect(plan);
    }
    return query(sql, values);
  };
  try {
    return { result: await work(Object.assign(client, { query: explained })), plans: [...new Set(plans)] };
  } finally {
    await client.end();
  }
}

const idOf = async (number: number): Promise<string> => {
  const [row] = await database.query<{ id: string }>('select id::text from core.tb_entity_change_log where pk_entity_change_log = $1', [
    number,
  ]);
  return row!.id;
};
const request = (id: string) => ({ ids: [id], who: 'ann', detail: null, config: 'current', snapshot: null }) as const;
const ALL: ChangeRange = { entityType: null, entityKey: null, after: null, before: null, fromChange: null, toChange: null, events: null };
const snapshot = async (): Promise<string> => (await database.query<{ now: string }>('select pg_current_snapshot()::text as now'))[0]!.now;

test('an id of ours holds its change number, and everything finds it by the primary key', async () => {
  const id = await idOf(123_451);
  expect(changeNumberIn(id)).toBe(123_451);
  const found = await plansOf((client) => findChange(client, id));
  expect(found.result).toBe(123_451);
  expect(found.plans).toEqual(PRIMARY_KEY);
  const quarantined = await plansOf((client) => findQuarantined(client, [id]));
  expect(quarantined.result).toEqual([123_451]);
  expect(quarantined.plans).toEqual(PRIMARY_KEY);
  const shown = await plansOf((client) => showDeadLetter(client, id));
  expect(shown.result).toMatchObject({ id, kind: 'quarantine', changeNumber: 123_451 });
  expect(shown.plans).toEqual(PRIMARY_KEY);
  const now = await snapshot();
  const selected = await plansOf((client) => selectChanges(client, { ...ALL, events: [id] }, now, 0, 50));
  expect(selected.result).toEqual([123_451]);
  expect(selected.plans).toEqual(PRIMARY_KEY);
  const retried = await plansOf((client) => requestRetries(client, request(id)));
  expect(retried.result).toEqual({ queued: [id], waiting: [], running: [], left: [], unknown: [] });
  expect(retried.plans).toEqual(PRIMARY_KEY);
  const other = await idOf(55_551);
  const discarded = await plansOf((client) => discardItems(client, request(other)));
  expect(discarded.result).toMatchObject({ queued: [other] });
  expect(discarded.plans).toEqual(PRIMARY_KEY);
});

test('an id that an application made, or an adopted table, is found all the same', async () => {
  const id = await idOf(70_000);
  expect(changeNumberIn(id)).toBeNull();
  expect(await findChange(database.client, id)).toBe(70_000);
  expect(await findQuarantined(database.client, [id, await idOf(70_001)])).toEqual([70_001, 70_000]);
  expect(await showDeadLetter(database.client, id)).toMatchObject({ kind: 'quarantine', changeNumber: 70_000 });
  expect(await selectChanges(database.client, { ...ALL, events: [id] }, await snapshot(), 0, 50)).toEqual([70_000]);
  expect(await requestRetries(database.client, request(id))).toMatchObject({ queued: [id] });
  expect(await discardItems(database.client, request(await idOf(80_000)))).toMatchObject({ queued: [await idOf(80_000)] });
});

test('an id that looks like ours and stands at another number is found, and one that nobody has is not', async () => {
  const odd = '0192f0c1-7a3e-7000-b000-000000000007';
  await database.query('update core.tb_entity_change_log set id = $1 where pk_entity_change_log = 90000', [odd]);
  expect(await findChange(database.client, odd)).toBe(90_000);
  expect(await findQuarantined(database.client, [odd])).toEqual([90_000]);
  const nobody = '0192f0c1-7a3e-7000-b000-000000000008';
  expect(await findChange(database.client, nobody)).toBeNull();
  expect(await findQuarantined(database.client, [nobody])).toEqual([]);
  expect(await selectChanges(database.client, { ...ALL, events: [nobody] }, await snapshot(), 0, 50)).toEqual([]);
  expect(await showDeadLetter(database.client, nobody)).toBeNull();
  expect(await requestRetries(database.client, request(nobody))).toMatchObject({ unknown: [nobody] });
});

test('a range narrows an event down', async () => {
  const [id, now] = [await idOf(41), await snapshot()];
  expect(await selectChanges(database.client, { ...ALL, events: [id], fromChange: 41, toChange: 41 }, now, 0, 50)).toEqual([41]);
  expect(await selectChanges(database.client, { ...ALL, events: [id], fromChange: 42 }, now, 0, 50)).toEqual([]);
  expect(await selectChanges(database.client, { ...ALL, events: [id], toChange: 40 }, now, 0, 50)).toEqual([]);
  expect(await selectChanges(database.client, { ...ALL, events: [id] }, now, 41, 50)).toEqual([]);
});

test('the optional index of docs/capture.md serves whoever asks for the history of one entity, of any key', async () => {
  const pool = createPool(database.url, 1);
  try {
    for (const statement of HISTORY_INDEX) await pool.query(statement);
    const filter = { entityType: 'Order', entityKey: '17', kind: null };
    const listed = await plansOf((client) => listEvents(client as never, 'main', filter, null, 20));
    expect(listed.result).toHaveLength(10);
    expect(listed.plans).toContain('change_log_history');
    const latest = await plansOf((client) => latestChanges(client, filter, 20));
    expect(latest.result).toHaveLength(10);
    expect(latest.plans).toContain('change_log_history');
    const now = await snapshot();
    const replayed = await plansOf((client) => selectChanges(client, { ...ALL, entityType: 'Order', entityKey: '17' }, now, 0, 50));
    expect(replayed.result).toHaveLength(10);
    expect(replayed.plans).toContain('change_log_history');
    // A key of any length can be written: a B-tree would refuse it, and with it the user's write.
    await database.query(
      "insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', repeat('k', 100000), 'INSERT')",
    );
    await database.query(
      "insert into core.tb_entity_change_log (object_type, object_id, modification_type) values ('Order', '0192f0c1-7a3e-7c55-9a4e-3f1d2c5b6a70', 'INSERT')",
    );
    expect(await latestChanges(pool, { ...filter, entityKey: '0192f0c1-7a3e-7c55-9a4e-3f1d2c5b6a70' }, 5)).toHaveLength(1);
  } finally {
    await pool.end();
  }
});
