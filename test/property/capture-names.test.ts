import fc from 'fast-check';
import { quoteIdentifier, quoteName } from '../../src/database/names';
import type { CaptureDefinition } from '../../src/event/definitions';
import { applyCapture, planCapture, planRemoval } from '../../src/change-log/capture/capture';
import { captureOf, createTestDatabase, type TestDatabase } from '../support/database';
import { matching } from '../support/texts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

// Names of plpgsql, of PostgreSQL and of ours, and what quoting goes wrong with.
// prettier-ignore
const NAMES = [
  'failure', 'found', 'new', 'old', 'tg_op', 'tg_argv', 'tg_relid', 'sqlerrm', 'sqlstate', '$object_key', '$object_data', '$n', '$o', '$p',
  '$row', '$r', '$x', '$c', '$s', '$settings', '$first', '$pairs', '$a row, by fraiseql-observers', 'r', 'i', 'n', 'o', 'c', 'x', 'e', 'k',
  's', 'c1', 'c2', 'l', 'd', 'same', 'n_key', 'o_key', 'n_image', 'new_rows', 'old_rows', 'observers', 'pg_catalog', 'core', 'pg_class',
  'select', 'when', 'true', 'null', 'Null', 'CamelCase', 'ünïcödé', 'x'.repeat(63), 'é'.repeat(31), 'a"b', "a'b", 'a.b', 'a b', 'a\\b',
  '\\', '"', "'", '.', ' ', '{}', '{', ',', '$capture$', '$$', '$&', "$'", '$1', '$2', '%', '%s', '%1$s', '%I', '-- x', '/*', ';', '\n',
  '\t', 'value', 'name', 'entity', 'text', 'json', 'row', 'row_to_json', 'relation', 'definition', 'operation', 'kept', 'data', 'key',
  'columns', 'array_agg', 'count',
];

const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !text.includes('\0') && Buffer.byteLength(text) < 60),
  },
);
const column = name.filter((text) => !SYSTEM.has(text));
const SYSTEM = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

const SHAPES = ['plain', 'hash', 'exclude', 'when', 'no before', 'triggers'] as const;

interface Change {
  readonly key: string;
  readonly verb: string;
  readonly data: Record<string, unknown> | null;
  readonly before: Record<string, unknown> | null;
  readonly error: string | null;
}

async function takeChanges(): Promise<Change[]> {
  const changes = await database.query<never>(
    `select object_key as key, modification_type as verb, object_data as data, object_data_before as before, extra_metadata ->> 'capture_error' as error
     from core.tb_entity_change_log order by pk_entity_change_log`,
  );
  await database.query('delete from core.tb_entity_change_log');
  return changes;
}

function optionsOf(shape: (typeof SHAPES)[number], hidden: string): Partial<CaptureDefinition> {
  switch (shape) {
    case 'hash':
      return { mask: { [hidden]: 'hash' } };
    case 'exclude':
      return { exclude: [hidden] };
    case 'when':
      return { when: `${quoteIdentifier(hidden)} is not null` };
    case 'no before':
      return { before: false };
    default:
      return {};
  }
}

test('whatever tables and columns are called, and called later, the chain of images is right and nothing is quarantined', async () => {
  const names = fc.uniqueArray(column, { minLength: 6, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(names, name, name, fc.constantFrom(...SHAPES), fc.boolean(), async (columns, schema, table, shape, composite) => {
      const [key = '', hidden = '', rest = '', renamedKey = '', renamedHidden = '', renamedRest = ''] = columns;
      const inSchema = `s ${schema}`.slice(0, 30);
      const named = quoteName(inSchema, table);
      const id = (text: string): string => quoteIdentifier(text);
      await database.query(
        `create schema ${id(inSchema)}; create table ${named} (${id(rest)} text, ${id(hidden)} text, ${id(key)} int, primary key (${id(key)}${composite ? `, ${id(rest)}` : ''}))`,
      );
      if (shape === 'triggers') {
        await database.query(`create function ${id(inSchema)}.f() returns trigger language plpgsql as 'begin return new; end';
          create trigger ${id(`${table.slice(0, 10)}'"`)} before update on ${named} for each row execute function ${id(inSchema)}.f()`);
      }
      await database.capture(named, { key: [key], ...optionsOf(shape, hidden) });
      const row = (k: string, h: string, r: string) => (is: number, hides: string, more: string) =>
        shape === 'exclude' ? { [k]: is, [r]: more } : { [k]: is, [r]: more, [h]: shape === 'hash' ? matching(/^[0-9a-f]{64}$/) : hides };
      const writes = async (k: string, h: string, r: string): Promise<void> => {
        const image = row(k, h, r);
        const before = (value: unknown): unknown => (shape === 'no before' ? null : value);
        const values = (is: number): string => `(${is}, 'CANARY-h', 'r')`;
        await database.query(`insert into ${named} (${id(k)}, ${id(h)}, ${id(r)}) values ${values(1)}`);
        await database.query(`insert into ${named} (${id(k)}, ${id(h)}, ${id(r)}) values ${values(2)}, ${values(3)}`);
        await database.query(`update ${named} set ${id(r)} = 'u' where ${id(k)} = 1`);
        await database.query(`update ${named} set ${id(r)} = 'v'`);
        await database.query(`update ${named} set ${id(k)} = 10 where ${id(k)} = 1`);
        await database.query(`update ${named} set ${id(k)} = 100 - ${id(k)} where ${id(k)} < 10`);
        await database.query(`delete from ${named} where ${id(k)} = 10`);
        await database.query(`delete from ${named}`);
        const found = await takeChanges();
        const change = (verb: string, is: number, data: unknown, was: unknown): Change =>
          ({ key: String(is), verb, data, before: was, error: null }) as Change;
        const h0 = 'CANARY-h';
        expect(found).toEqual([
          ...[1, 2, 3].map((is) => change('INSERT', is, image(is, h0, 'r'), null)),
          change('UPDATE', 1, image(1, h0, 'u'), before(image(1, h0, 'r'))),
          ...[2, 3, 1].map((is) => change('UPDATE', is, image(is, h0, 'v'), before(image(is, h0, is === 1 ? 'u' : 'r')))),
          change('DELETE', 1, null, image(1, h0, 'v')),
          change('INSERT', 10, image(10, h0, 'v'), null),
          ...[2, 3].map((is) => change('DELETE', is, null, image(is, h0, 'v'))),
          ...[98, 97].map((is) => change('INSERT', is, image(is, h0, 'v'), null)),
          ...[10, 98, 97].map((is) => change('DELETE', is, null, image(is, h0, 'v'))),
        ]);
      };
      await writes(key, hidden, rest);
      const renames = [
        [key, renamedKey],
        [hidden, renamedHidden],
        [rest, renamedRest],
      ] as const;
      for (const [from, to] of renames) await database.query(`alter table ${named} rename ${id(from)} to ${id(to)}`);
      await writes(renamedKey, renamedHidden, renamedRest);
      for (const statement of await planRemoval(database.client, named)) await database.query(statement);
      expect(
        await database.query(
          "select proname from pg_proc where pronamespace = 'observers'::regnamespace and proname like 'capture\\_s\\_%'",
        ),
      ).toEqual([]);
      await database.query(`drop schema ${id(inSchema)} cascade`);
    }),
    { numRuns: 60, endOnFailure: true },
  );
}, 300_000);

test("functions, types and operators of public that shadow PostgreSQL's own are not found by what is recorded", async () => {
  const definitions = [
    captureOf('public.t'),
    captureOf('public.m', { entity: 'M', mask: { v: 'hash', w: 'drop' }, exclude: ['x'] }),
    captureOf('public.w', { entity: 'W', when: 'v is not null', before: false }),
    captureOf('public.p', { entity: 'P', key: ['id', 'v'] }),
  ];
  await database.query(`create table t (id int primary key, v text, w text, x text); create table m (like t including all); create table w (like t including all);
    create table p (like t including all) partition by range (id); create table p1 partition of p for values from (0) to (1000000)`);
  await applyCapture(database.client, await planCapture(database.client, definitions));
  await database.query(`create sequence public.called; create function public.f() returns trigger language plpgsql as 'begin return new; end';
    create trigger x before insert or update on t for each row execute function public.f()`);
  await applyCapture(database.client, await planCapture(database.client, definitions));
  await database.query(`do $$ declare f record; begin
    for f in select distinct proname, pronargs from pg_proc where pronamespace = 'pg_catalog'::regnamespace and pronargs between 1 and 3
      and prokind = 'f' and proname in ${`('row_to_json', 'to_json', 'current_setting', 'set_config', 'left', 'array_remove', 'json_build_array', 'jsonb_build_object', 'encode', 'sha256', 'convert_to', 'byteacat', 'record_image_ne', 'nextval', 'currval', 'format', 'concat_ws', 'cardinality', 'pg_current_xact_id', 'text', 'timestamptz', 'date_part', 'to_hex', 'clock_timestamp', 'jsonb', 'json')`}
    loop
      begin
        execute format('create function public.%I(%s) returns text language plpgsql as %L', f.proname, array_to_string(array_fill('anyelement'::text, array[f.pronargs]), ', '),
          'begin perform pg_catalog.nextval(''public.called''); return null; end');
      exception when others then null; end;
      begin
        execute format('create function public.%I(%s) returns text language plpgsql as %L', f.proname, array_to_string(array_fill('text'::text, array[f.pronargs]), ', '),
          'begin perform pg_catalog.nextval(''public.called''); return null; end');
      exception when others then null; end;
    end loop; end $$;
    create function public.called_it(text, text) returns boolean language plpgsql as 'begin perform pg_catalog.nextval(''public.called''); return false; end';
    create function public.called_joined(text, text) returns text language plpgsql as 'begin perform pg_catalog.nextval(''public.called''); return null; end';
    create operator public.= (leftarg = text, rightarg = text, function = public.called_it);
    create operator public.<> (leftarg = text, rightarg = text, function = public.called_it);
    create operator public.|| (leftarg = text, rightarg = text, function = public.called_joined);
    create function public.called_number(int8, int8) returns boolean language plpgsql as 'begin perform pg_catalog.nextval(''public.called''); return false; end';
    create operator public.= (leftarg = int8, rightarg = int8, function = public.called_number);
    grant usage on sequence public.called to public;
    create domain public.text as int; create domain public.json as int; create domain public.jsonb as int; create domain public.int8 as pg_catalog.text; create domain public.uuid as int;
    create domain public.regclass as int; create domain public.name as int; create type public.record as enum (); create domain public.trigger as int;
    create type public.t_row as enum ()`);
  for (const change of ['', 'alter table TABLE rename w to w2']) {
    if (change !== '') for (const table of ['t', 'm', 'w', 'p']) await database.query(change.replace('TABLE', table));
    await database.query('set search_path = public, pg_catalog');
    for (const table of ['t', 'm', 'w', 'p', 'p1']) {
      await database.query(`insert into ${table} (id, v, x) values (1, 'a', 'CANARY-x')`);
      await database.query(`insert into ${table} (id, v) values (2, 'a'), (3, 'a')`);
      await database.query(
        `update ${table} set v = 'b' where id = 1; update ${table} set v = 'c'; update ${table} set id = 9 where id = 1; delete from ${table}; truncate ${table}`,
      );
    }
    await database.query('set search_path to default');
  }
  expect(await database.query('select last_value::int as last, is_called from public.called')).toEqual([{ last: 1, is_called: false }]);
  const [count] = await database.query(
    "select count(*)::int as n, count(*) filter (where extra_metadata ? 'capture_error')::int as bad from core.tb_entity_change_log",
  );
  expect(count).toEqual({ n: 2 * (3 * 13 + 2 * 17), bad: 0 });
});
