import fc from 'fast-check';

export interface Table {
  readonly name: string;
  readonly key: readonly string[];
  /** As the log has it. */
  readonly text: (row: string) => string;
}

export interface Playground {
  readonly tables: readonly Table[];
  readonly ddl: readonly string[];
  /** Statements, and `savepoint`, `rollback to`, `commit`, `rollback`. */
  readonly steps: readonly string[];
}

type Kind = 'int' | 'text' | 'composite';

/** Few keys, so that statements meet. */
const key = fc.integer({ min: 1, max: 4 });

interface Shape {
  readonly name: string;
  readonly kind: Kind;
  /** A second unique column. */
  readonly unique: boolean;
  /** By its key, so that a row that moves to another partition has another one. */
  readonly partitioned: boolean;
  /** Foreign keys, to tables with keys of type int. */
  readonly parents: readonly { readonly table: number; readonly action: string }[];
}

const KEYS: Readonly<Record<Kind, { columns: string[]; ddl: string; value: (k: number) => string[]; text: (row: string) => string }>> = {
  int: { columns: ['id'], ddl: 'id int primary key', value: (k) => [String(k)], text: (row) => `${row}.id::text` },
  text: { columns: ['id'], ddl: 'id text primary key', value: (k) => [`'k"${k}'`], text: (row) => `${row}.id` },
  composite: {
    columns: ['a', 'b'],
    ddl: 'a int, b text, primary key (a, b)',
    value: (k) => [String(k % 2), `'b${k}'`],
    text: (row) => `json_build_array(${row}.a, ${row}.b)::text`,
  },
};

const ACTIONS = [
  'on delete cascade',
  'on delete set null',
  'on delete cascade on update cascade',
  'on delete set null on update cascade',
  'on update set null on delete cascade',
  'on delete cascade deferrable initially deferred',
  'on delete set default on update set default',
];

const shapes: fc.Arbitrary<Shape[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom<Kind>('int', 'int', 'text', 'composite'),
      unique: fc.boolean(),
      partitioned: fc.boolean(),
      parents: fc.array(fc.record({ table: fc.nat(2), action: fc.constantFrom(...ACTIONS) }), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) =>
    all.map((shape, index) => ({
      ...shape,
      name: `t${index}`,
      // A unique column would have to be of the key.
      partitioned: shape.partitioned && shape.kind === 'int' && !shape.unique,
      parents: shape.parents.filter(({ table }) => table <= index && all[table]?.kind === 'int'),
    })),
  );

function createTable({ name, kind, unique, parents, partitioned }: Shape): string {
  const columns = ['v int default 0', `w int default 0${unique ? ' unique' : ''}`];
  const references = parents.map(({ table, action }, index) => `p${index} int references t${table} ${action}`);
  const table = `create table ${name} (${[...columns, ...references, KEYS[kind].ddl].join(', ')})`;
  const part = (number: number, from: string, to: string): string =>
    `create table ${name}_${number} partition of ${name} for values from (${from}) to (${to})`;
  return partitioned ? `${table} partition by range (id); ${part(1, 'minvalue', '3')}; ${part(2, '3', 'maxvalue')}` : table;
}

const where = ({ kind }: Shape, k: number): string => {
  const { columns, value } = KEYS[kind];
  return `(${columns.join(', ')}) = (${value(k).join(', ')})`;
};

/** Which tables have triggers, is known when all are there. */
type Sql = (marked: ReadonlySet<string>) => string;

/** One statement on one of the tables. */
function statement(all: readonly Shape[], version: number): fc.Arbitrary<Sql> {
  return fc
    .record({
      index: fc.nat(all.length - 1),
      other: fc.nat(all.length - 1),
      k: key,
      k2: key,
      v: fc.nat(9),
      parents: fc.array(fc.option(key), { minLength: 2, maxLength: 2 }),
      verb: fc.constantFrom(...VERBS.filter((verb) => version >= 15 || verb !== 'merge')),
    })
    .map(({ index, other, verb, ...numbers }) => (marked) => {
      const tables = [all[index]!, all[other]!] as const;
      // On a table without triggers nobody keeps book, so what a statement's own functions, or the other parts of it, write there is too early.
      const isMixed = MIXED.has(verb) && !tables.every(({ name }) => marked.has(name));
      return sqlOf(isMixed ? 'update' : verb, ...tables, numbers);
    });
}

const MIXED: ReadonlySet<string> = new Set(['update and delete', 'insert and update', 'update with a function']);

const VERBS = [
  'insert',
  'insert',
  'insert two',
  'upsert',
  'upsert two',
  'insert or nothing',
  'update',
  'update',
  'update all',
  'same',
  'change key',
  'shift keys',
  'adopt',
  'delete',
  'delete',
  'delete some',
  'merge',
  'delete and insert',
  'update and delete',
  'update with a function',
  'insert and update',
] as const;

interface Numbers {
  readonly k: number;
  readonly k2: number;
  readonly v: number;
  readonly parents: readonly (number | null)[];
}

function sqlOf(verb: (typeof VERBS)[number], table: Shape, other: Shape, { k, k2, v, parents }: Numbers): string {
  const { name } = table;
  const { columns, value } = KEYS[table.kind];
  const keys = columns.join(', ');
  const own = table.parents.map((_, index) => `p${index}`);
  const all = [...columns, 'v', 'w', ...own].join(', ');
  const row = (of: number): string =>
    `(${[...value(of), v, table.unique ? `(random() * 1000000)::int` : v, ...own.map((_, i) => parents[i] ?? 'null')].join(', ')})`;
  const insert = `insert into ${name} (${all}) values ${row(k)}`;
  const two = k === k2 ? insert : `${insert}, ${row(k2)}`;
  const set = `(${keys}) = row(${value(k2).join(', ')})`;
  switch (verb) {
    case 'insert':
      return insert;
    case 'insert two':
      return two;
    case 'upsert':
      return `${insert} on conflict (${keys}) do update set v = ${name}.v + 1`;
    case 'upsert two':
      return `${two} on conflict (${keys}) do update set v = excluded.v + 1`;
    case 'insert or nothing':
      return `${two} on conflict do nothing`;
    case 'update':
      return `update ${name} set v = v + 1 where ${where(table, k)}`;
    case 'update all':
      return `update ${name} set v = v + ${v}`;
    case 'same':
      return `update ${name} set v = v where v <= ${v}`;
    case 'change key':
      return `update ${name} set ${set} where ${where(table, k)}`;
    case 'shift keys':
      return table.kind === 'int' ? `update ${name} set id = id + 10` : `update ${name} set ${set} where ${where(table, k)}`;
    case 'adopt':
      return own.length === 0 ? insert : `update ${name} set ${own[v % own.length]} = ${parents[0] ?? 'null'} where ${where(table, k2)}`;
    case 'delete':
      return `delete from ${name} where ${where(table, k)}`;
    case 'delete some':
      return `delete from ${name} where v >= ${v}`;
    case 'merge':
      return `merge into ${name} t using (select ${columns.map((column, i) => `${value(k)[i]} as ${column}`).join(', ')} union select ${value(k2).join(', ')}) s
        on (${columns.map((column) => `t.${column} = s.${column}`).join(' and ')})
        when matched and t.v % 3 = 0 then delete when matched then update set v = t.v + 1
        when not matched then insert (${keys}, v, w) values (${columns.map((column) => `s.${column}`).join(', ')}, ${v}, ${table.unique ? '(random() * 1000000)::int' : v})`;
    case 'delete and insert':
      return `with d as (delete from ${name} where ${where(table, k)} returning *) insert into ${name} (${all}) select ${[...columns, 'v + 1', 'w', ...own].join(', ')} from d`;
    case 'update and delete':
      return `with u as (update ${name} set v = v + 1 returning 1) delete from ${other.name} where ${where(other, k2)}`;
    case 'insert and update':
      return `with i as (${insert} on conflict do nothing returning 1) update ${other.name} set v = v + 1`;
    case 'update with a function':
      return `update ${name} set v = v + elsewhere() where v >= ${v}`;
  }
}

const NAMES = ['!before', 'aa', 'observers_b', 'zz', '~later'];

/** A trigger that writes somewhere, no deeper than four levels and no more than thirty times in a transaction. */
function trigger(
  all: readonly Shape[],
  version: number,
  number: number,
): fc.Arbitrary<{ on: string; ddl: (marked: ReadonlySet<string>) => string[] }> {
  return fc
    .record({
      table: fc.nat(all.length - 1),
      name: fc.constantFrom(...NAMES),
      timing: fc.constantFrom('before row', 'before row', 'after row', 'after row', 'before statement', 'after statement', 'constraint'),
      events: fc.subarray(['insert', 'update', 'delete'], { minLength: 1 }),
      body: fc.array(statement(all, version), { minLength: 1, maxLength: 2 }),
      forgives: fc.boolean(),
      own: fc.boolean(),
      change: fc.constantFrom('', '', 'new.v = new.v + 1;', 'if new.v % 5 = 4 then return null; end if;'),
    })
    .map(({ table, name, timing, events, body, forgives, own, change }) => {
      const { name: on, kind } = all[table]!;
      const [when, each = 'row'] = timing.split(' ') as [string, string?];
      // What triggers do most: write to the row that fired them, or bring it back.
      const { columns } = KEYS[kind];
      const same = `update ${on} set w = w + 1 where (${columns.join(', ')}) = (${columns.map((column) => `coalesce(new.${column}, old.${column})`).join(', ')})`;
      const back = `insert into ${on} (${[...columns, 'v'].join(', ')}) values (${[...columns.map((column) => `old.${column}`), 'old.v + 100'].join(', ')})`;
      const bodyOf: readonly Sql[] =
        own && each === 'row' ? [() => (events.includes('delete') && events.length === 1 ? back : same)] : body;
      const guarded = (marked: ReadonlySet<string>): string =>
        bodyOf
          .map((sql) => sql(marked))
          .map((sql) => (forgives ? `begin ${sql}; exception when others then null; end;` : `${sql};`))
          .join('\n');
      const changes = when === 'before' && each === 'row' && change !== '' ? `if tg_op <> 'DELETE' then ${change} end if;` : '';
      return {
        on,
        ddl: (marked) => [
          `create function f${number}() returns trigger language plpgsql as $$ begin
          if pg_trigger_depth() < 4 and coalesce(nullif(current_setting('test.budget', true), ''), '0')::int < 30 then
            perform set_config('test.budget', (coalesce(nullif(current_setting('test.budget', true), ''), '0')::int + 1)::text, true);
            ${guarded(marked)}
          end if;
          ${changes}
          ${each === 'row' ? "if tg_op = 'DELETE' then return old; end if; return new;" : 'return null;'}
        end $$`,
          timing === 'constraint'
            ? `create constraint trigger "${name}${number}" after ${events.join(' or ')} on ${on} deferrable initially deferred for each row execute function f${number}()`
            : `create trigger "${name}${number}" ${when} ${events.join(' or ')} on ${on} for each ${each} execute function f${number}()`,
        ],
      };
    });
}

/** What a statement calls: it writes while the statement runs. */
const elsewhere = (all: readonly Shape[], version: number): fc.Arbitrary<Sql> =>
  statement(all, version).map(
    (sql) => (marked) =>
      `create function elsewhere() returns int volatile language plpgsql as $$ begin
         if coalesce(nullif(current_setting('test.budget', true), ''), '0')::int < 30 then
           perform set_config('test.budget', (coalesce(nullif(current_setting('test.budget', true), ''), '0')::int + 1)::text, true);
           begin ${sql(marked)}; exception when others then null; end;
         end if;
         return 1;
       end $$`,
  );

export const playground = (version: number): fc.Arbitrary<Playground> =>
  shapes.chain((all) => {
    const step = fc.oneof(
      { weight: 8, arbitrary: statement(all, version) },
      { weight: 1, arbitrary: fc.constantFrom('savepoint', 'rollback to', 'commit', 'commit', 'rollback') },
    );
    return fc
      .record({
        first: fc.constant(
          all.map(
            ({ name, kind }) =>
              `insert into ${name} (${KEYS[kind].columns.join(', ')}, w) values ${[1, 2, 3].map((k) => `(${[...KEYS[kind].value(k), k].join(', ')})`).join(', ')}`,
          ),
        ),
        triggers: fc.tuple(trigger(all, version, 1), trigger(all, version, 2), trigger(all, version, 3), trigger(all, version, 4)),
        howMany: fc.nat(4),
        called: elsewhere(all, version),
        steps: fc.array(step, { minLength: 4, maxLength: 14 }),
      })
      .map(({ first, triggers: four, howMany, called, steps }) => {
        const triggers = four.slice(0, howMany);
        const marked = new Set([
          ...triggers.map(({ on }) => on),
          ...all.filter(({ parents }) => parents.length > 0).map(({ name }) => name),
        ]);
        return {
          tables: all.map(({ name, kind }) => ({ name, key: KEYS[kind].columns, text: KEYS[kind].text })),
          ddl: [...all.map(createTable), called(marked), ...triggers.flatMap(({ ddl }) => ddl(marked))],
          steps: [...first, 'commit', ...steps.map((one) => (typeof one === 'string' ? one : one(marked)))],
        };
      });
  });
