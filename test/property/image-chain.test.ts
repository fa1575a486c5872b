import fc from 'fast-check';
import { applyCapture, planCapture } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { playground, type Playground } from './image-chain/playground';

// Random tables, random triggers that write to each other's tables, random foreign keys that act, random statements. For each entity the
// before-image of a change must be the image of the change before it, the last image must be the row as it was committed, and the changes must
// be those that a row trigger of the test's own saw, each as often.
//
// What is left out, for no order can be had of it: row triggers with transition tables on tables that foreign keys act on (PostgreSQL then
// runs the statement triggers of one statement in several turns, first begun, first over, and nothing tells a trigger which turn it is of),
// BEFORE ROW triggers that sort behind ours and delete the row that is about to be inserted, and functions that a statement calls, or other
// parts of it (WITH), that write to its table when that has no triggers: it pays for no book-keeping then.

const RUNS = Number(process.env['CHAIN_RUNS'] ?? 50);

let database: TestDatabase;
let version: number;

beforeAll(async () => {
  database = await createTestDatabase();
  const [row] = await database.query<{ version: string }>("select current_setting('server_version_num') as version");
  version = Math.floor(Number(row!.version) / 10_000);
  await database.query(`
    create table observers.test_reference (entity text, kind text, before text, after text);
    create function observers.test_reference() returns trigger language plpgsql as $$ begin
      insert into observers.test_reference values (tg_argv[0], tg_op,
        case when tg_op <> 'INSERT' then row_to_json(old)::text end, case when tg_op <> 'DELETE' then row_to_json(new)::text end);
      return null;
    end $$`);
});

afterAll(() => database.drop());

async function build({ tables, ddl }: Playground): Promise<void> {
  await database.query(
    `set client_min_messages = error; drop schema if exists p cascade; create schema p; set search_path = p;
     truncate observers.test_reference, observers.captured_table; truncate core.tb_entity_change_log`,
  );
  for (const statement of ddl) await database.query(statement);
  for (const { name } of tables) {
    await database.query(
      `create trigger "!reference" after insert or update or delete on ${name} for each row execute function observers.test_reference('${name}')`,
    );
  }
  const captures = tables.map(({ name }) => captureOf(`p.${name}`, { entity: name }));
  await applyCapture(database.client, await planCapture(database.client, captures));
}

/** What fails is taken back alone, as an application would with savepoints. */
async function run(steps: readonly string[]): Promise<void> {
  const attempt = async (sql: string): Promise<boolean> => {
    try {
      await database.query(sql);
      return true;
    } catch {
      return false;
    }
  };
  // There may be none of that name: then a transaction that failed is over, which is what it comes to.
  const back = async (to: string): Promise<void> => {
    if (!(await attempt(`rollback to ${to}`))) await database.query('rollback; begin');
  };
  await database.query('begin');
  for (const step of steps) {
    if (step === 'savepoint') await database.query('savepoint two');
    else if (step === 'rollback to') await back('two');
    else if (step === 'commit' || step === 'rollback') {
      await attempt(step);
      await database.query('rollback; begin');
    } else {
      await database.query('savepoint one');
      if (!(await attempt(step))) await back('one');
    }
  }
  await attempt('commit');
  await database.query('rollback');
}

const CHAIN = `
  with change as (
    select object_type as entity, object_key as key, modification_type as kind, object_data_before::text as before, object_data::text as after,
      lag(object_data::text) over same as previous, lag(modification_type) over same as previous_kind, pk_entity_change_log as number,
      extra_metadata
    from core.tb_entity_change_log window same as (partition by object_type, object_key order by pk_entity_change_log)
  )
  select number::int, entity, key, kind, before, after, previous from change
  where extra_metadata is not null or before is distinct from previous
    or (kind = 'INSERT') <> (previous_kind is null or previous_kind = 'DELETE')`;

// A changed key is a delete and an insert.
const differing = (tables: Playground['tables']): string => `
  with seen as (
    select entity, kind, before, after from observers.test_reference r where kind <> 'UPDATE' or not (${keyChanged(tables)})
    union all select entity, 'DELETE', before, null from observers.test_reference r where kind = 'UPDATE' and (${keyChanged(tables)})
    union all select entity, 'INSERT', null, after from observers.test_reference r where kind = 'UPDATE' and (${keyChanged(tables)})
  ), recorded as (
    select object_type as entity, modification_type as kind, object_data_before::text as before, object_data::text as after from core.tb_entity_change_log
  )
  select 'not recorded' as what, * from (select * from seen except all select * from recorded) a
  union all select 'not seen', * from (select * from recorded except all select * from seen) b`;

const keyChanged = (tables: Playground['tables']): string =>
  tables
    .map(
      ({ name, key }) =>
        `entity = '${name}' and (${key.map((column) => `before::json ->> '${column}' <> after::json ->> '${column}'`).join(' or ')})`,
    )
    .join(' or ');

const lastImages = (tables: Playground['tables']): string =>
  tables
    .map(
      ({ name, text }) => `
  select '${name}' as entity, coalesce(k.key, l.object_key) as key, k.image, l.object_data::text as recorded
  from (select ${text('t')} as key, row_to_json(t)::text as image from ${name} t) k
  full join (select distinct on (object_key) object_key, object_data from core.tb_entity_change_log where object_type = '${name}'
             order by object_key, pk_entity_change_log desc) l on l.object_key = k.key
  where k.image is distinct from l.object_data::text`,
    )
    .join(' union all ');

test('changes of one entity form a chain, whatever triggers and foreign keys write within a statement', async () => {
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(playground(version), async (scene) => {
      await build(scene);
      await run(scene.steps);
      expect(await database.query(CHAIN)).toEqual([]);
      expect(await database.query(lastImages(scene.tables))).toEqual([]);
      expect(await database.query(differing(scene.tables))).toEqual([]);
      changes += (await database.query('select from core.tb_entity_change_log')).length;
    }),
    {
      numRuns: RUNS,
      ...(process.env['CHAIN_SEED'] ? { seed: Number(process.env['CHAIN_SEED']) } : {}),
      endOnFailure: true,
    },
  );
  expect(changes).toBeGreaterThan(RUNS * 5);
}, 300_000);
