import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { TestDatabase } from './database';

/** What our statements hand to functions and operators. */
const TYPES = [
  'text',
  'bigint',
  'integer',
  'boolean',
  'uuid',
  'json',
  'jsonb',
  'bytea',
  'name',
  'oid',
  'xid8',
  'pg_snapshot',
  '"char"',
  'double precision',
  'real',
  'numeric',
  'interval',
  'timestamptz',
  'timestamp',
  'varchar',
  'text[]',
  'bigint[]',
  'uuid[]',
];
/** Where a function takes several arguments of any type. */
const COMMON = ['text', 'bigint', 'integer', 'json', 'text[]', 'timestamptz'];
/** What our statements write between two values, and what stands behind IN, LIKE, BETWEEN, NULLIF and IS DISTINCT FROM. */
const OPERATORS = [
  '=',
  '<>',
  '<',
  '<=',
  '>',
  '>=',
  '||',
  '->',
  '->>',
  '#>>',
  '+',
  '-',
  '*',
  '/',
  '~',
  '!~',
  '~*',
  '~~',
  '~~*',
  '&&',
  '<<',
  '|',
];

/** The names that could be called: every word before a parenthesis in a file of ours. */
export function wordsBeforeParenthesis(): string[] {
  const words = new Set<string>();
  for (const folder of ['src', 'migrations']) {
    for (const file of filesIn(join(__dirname, '../..', folder))) {
      for (const [, word] of readFileSync(file, 'utf8').matchAll(/\b([a-z_][a-z0-9_]*)\s*\(/g)) words.add(word ?? '');
    }
  }
  return [...words];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesIn(path) : path.endsWith('.ts') ? [path] : [];
  });
}

/**
 * Puts into schema public, as `role`, which may do no more than create there, a function beside every function of PostgreSQL that we may
 * call, and an operator beside every one, with the types that we pass exactly. Each says that it was called, even when what
 * called it is rolled back, and fails.
 */
async function plantShadows(client: Client, role: string): Promise<void> {
  await client.query(`grant create, usage on schema public to ${role}; set role ${role}; set search_path = pg_catalog`);
  try {
    await client.query('create sequence public.shadows_called; grant all on sequence public.shadows_called to public');
    const array = (items: readonly string[]): string => `array[${items.map((item) => `'${item}'`).join(', ')}]`;
    await client.query(
      PLANT.replace('{words}', array(wordsBeforeParenthesis()))
        .replace('{types}', array(TYPES))
        .replace('{common}', array(COMMON))
        .replace('{operators}', array(OPERATORS)),
    );
  } finally {
    await client.query('reset role; set search_path to default');
  }
}

/** A database whose sessions look names up among the shadows first, as the worst settings may say. */
export async function shadowPath(database: TestDatabase, role: string): Promise<void> {
  await plantShadows(database.client, role);
  await database.query(`alter database ${new URL(database.url).pathname.slice(1)} set search_path = public, pg_catalog`);
}

/** How often one of them was called. */
export async function shadowsCalled(client: Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    'select case when s.is_called then s.last_value else 0 end::pg_catalog.int4 as n from public.shadows_called s',
  );
  return rows[0]?.n ?? 0;
}

const PLANT = `
do $plant$
declare
  words text[] := {words};
  types text[] := {types};
  common text[] := {common};
  body text := $$begin perform pg_catalog.nextval('public.shadows_called'); raise exception 'a shadow was called'; end$$;
  l text; r text; f record; operator text; signature text; result text; n int;
begin
  -- A function has the result that the operator's own would have most likely: another one could not be planned, and would not be called.
  foreach l in array types loop
    foreach r in array types loop
      foreach result in array array['boolean', 'text', l] loop
        execute format('create or replace function public.%I(%s, %s) returns %s language plpgsql as %L', 'shadow_' || result, l, r,
          case result when 'record' then 'text' else result end, body);
      end loop;
      foreach operator in array {operators} loop
        result := case when operator in ('->>', '#>>') then 'text' when operator in ('||', '+', '-', '*', '/', '->', '|', '<<') then l else 'boolean' end;
        begin
          execute format('create operator public.%s (leftarg = %s, rightarg = %s, function = public.%I)', operator, l, r, 'shadow_' || result);
        exception when others then null;
        end;
      end loop;
    end loop;
  end loop;
  for f in select proname::text as name, array_agg(distinct pronargs) as counts, bool_or(provariadic <> 0) as variadic
           from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname = any (words) group by 1 loop
    for n in 0..6 loop
      continue when not (n = any (f.counts) or f.variadic);
      for signature in
        select s from (
          select '' as s where n = 0
          union all select t from unnest(types) t where n = 1
          union all select t || ', ' || u from unnest(common) t, unnest(common) u where n = 2
          union all select t || ', ' || t from unnest(types) t where n = 2
          union all select p.args from (
            select string_agg(format_type(a.type, null), ', ' order by a.i) as args
            from pg_proc p, unnest(p.proargtypes) with ordinality a(type, i)
            where p.proname = f.name and p.pronargs = n and n > 1 and p.pronamespace = 'pg_catalog'::regnamespace group by p.oid) p
          union all select concat_ws(', ', a, b, c) from unnest(common) a, unnest(common) b, unnest(common) c where n = 3
          union all select concat_ws(', ', a, b, a, b) from unnest(common) a, unnest(common) b where n = 4
          union all select concat_ws(', ', a, b, a, b, a, b) from unnest(common) a, unnest(common) b where n = 6
          union all select 'variadic text[]' where n = 1 union all select 'text, variadic text[]' where n = 2
        ) q
      loop
        begin
          execute format('create function public.%I(%s) returns text language plpgsql as %L', f.name, signature, body);
        exception when others then null;
        end;
      end loop;
    end loop;
  end loop;
end $plant$`;
