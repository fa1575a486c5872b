import type { ClientBase } from 'pg';

/** One privilege of one of our roles on one thing of ours. */
export interface Grant {
  readonly role: string;
  /** `schema core`, `observers.lease`, `function observers.f(integer)`: as it stands behind ON. */
  readonly object: string;
  /** Lower case. */
  readonly privilege: string;
}

export interface RoleFacts {
  readonly name: string;
  /** What it is that a role of ours should not be: `superuser`, `login` … */
  readonly too: readonly string[];
}

export interface OwnerFacts {
  /** Owner of the schema observers, and so whoever migrates. */
  readonly owner: string;
  readonly isSuperuser: boolean;
  /** Whether it may give functions to observers_capture; null while that role is not there. */
  readonly maySetCapture: boolean | null;
  readonly version: number;
  /** The connected role. */
  readonly self: string;
  readonly mayCreateRoles: boolean;
}

const FOUND_ROLES = `
  select rolname::text as name, array_remove(array[case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end,
           case when rolcreatedb then 'createdb' end, case when rolcanlogin then 'login' end, case when rolreplication then 'replication' end,
           case when rolbypassrls then 'bypassrls' end]::text[], null) as too
  from pg_roles where rolname = any ($1::text[])`;

export async function readRoles(client: ClientBase, names: readonly string[]): Promise<RoleFacts[]> {
  const { rows } = await client.query<RoleFacts>(FOUND_ROLES, [names]);
  return rows;
}

// Version 16 tells being a member from being allowed to become the role; before, one was the other.
const OWNER = `
  select pg_get_userbyid(n.nspowner)::text as owner, o.rolsuper as "isSuperuser", current_user::text as self,
         current_setting('server_version_num')::int as version, s.rolsuper or s.rolcreaterole as "mayCreateRoles",
         (select pg_has_role(o.oid, c.oid, case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end)
          from pg_roles c where c.rolname = 'observers_capture') as "maySetCapture"
  from pg_namespace n join pg_roles o on o.oid = n.nspowner cross join pg_roles s
  where n.nspname = 'observers' and s.rolname = current_user`;

/** Null before the first migration. */
export async function readOwner(client: ClientBase): Promise<OwnerFacts | null> {
  const { rows } = await client.query<OwnerFacts>(OWNER);
  return rows[0] ?? null;
}

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where (n.nspname = 'observers' and c.relkind in ('r', 'p') and not c.relispartition) or (n.nspname = 'core' and c.relname = 'tb_entity_change_log')
  order by 1`;

/** Our tables, qualified; without the partitions, which nobody asks by themselves. */
export async function readTables(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(TABLES);
  return rows.map(({ name }) => name);
}

// By number: who may not use a schema may not ask by a name in it either.
const HELD = `
  with thing as (
    select format('%I.%I', n.nspname, c.relname) as object, c.oid as relation, null::oid as schema, null::oid as function
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('core', 'observers') and c.relkind in ('r', 'p')
    union all select 'schema ' || nspname, null, oid, null from pg_namespace where nspname in ('core', 'observers')
    union all select 'function ' || p.oid::regprocedure::text, null, null, p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'observers'
  )
  select g.role, g.object, g.privilege
  from unnest($1::text[], $2::text[], $3::text[]) as g(role, object, privilege) join thing t on t.object = g.object
  where case when t.relation is not null then has_table_privilege(g.role, t.relation, g.privilege)
             when t.schema is not null then has_schema_privilege(g.role, t.schema, g.privilege)
             else has_function_privilege(g.role, t.function, g.privilege) end`;

/** Those of these rights that the roles, which exist, have in whatever way. */
export async function readHeld(client: ClientBase, grants: readonly Grant[]): Promise<Grant[]> {
  const { rows } = await client.query<Grant>(HELD, [
    grants.map(({ role }) => role),
    grants.map(({ object }) => object),
    grants.map(({ privilege }) => privilege),
  ]);
  return rows;
}

const GIVEN = `
  select pg_get_userbyid(a.grantee)::text as role, o.object, lower(a.privilege_type) as privilege
  from (select format('%I.%I', n.nspname, c.relname) as object, c.relacl as acl from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and (n.nspname = 'observers' or n.nspname = 'core' and c.relname = 'tb_entity_change_log')
        union all select format('schema %I', nspname), nspacl from pg_namespace where nspname in ('core', 'observers')) o
  cross join aclexplode(o.acl) a
  where pg_get_userbyid(a.grantee)::text = any ($1::text[]) order by 1, 2, 3`;

/** What was granted to these roles themselves. */
export async function readGiven(client: ClientBase, roles: readonly string[]): Promise<Grant[]> {
  const { rows } = await client.query<Grant>(GIVEN, [roles]);
  return rows;
}

// Those of a table run what its owner made: casts, functions of a condition. Those of all tables run what the log's owner made (triggers,
// defaults), so that only a mightier owner than that is one too many.
const MIGHTY_CAPTURE = `
  select format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) as function, o.rolname::text as owner,
         case when p.proname in ('capture_mark', 'capture_chain') then l.rolname::text end as "logOwner"
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
  join pg_class c on c.relname = 'tb_entity_change_log' and c.relnamespace = (select oid from pg_namespace where nspname = 'core') join pg_roles l on l.oid = c.relowner
  where n.nspname = 'observers' and p.proname like 'capture\\_%' and p.prosecdef and o.rolsuper
    and not (l.rolsuper and p.proname in ('capture_mark', 'capture_chain')) order by 1`;

/** What others' writes run as a superuser. */
export interface MightyFunction {
  /** As it stands in ALTER FUNCTION. */
  readonly function: string;
  readonly owner: string;
  /** Owner of the change log, for a function that all captured tables share; null for one that a table has for itself. */
  readonly logOwner: string | null;
}

export async function readMightyCapture(client: ClientBase): Promise<MightyFunction[]> {
  const { rows } = await client.query<MightyFunction>(MIGHTY_CAPTURE);
  return rows;
}

const CLOSED_ROW_FUNCTIONS = `
  select format('observers.%I', p.proname) as name from pg_proc p
  where p.pronamespace = to_regnamespace('observers') and p.proname ~ '^capture_.*_backfill(_kept)?$' and pg_get_userbyid(p.proowner) = 'observers_capture'
    and not coalesce((select has_function_privilege(r.oid, p.oid, 'EXECUTE') from pg_roles r where r.rolname = 'observers_operator'), false) order by 1`;

/** Functions of captures that backfills call, and operators may not. */
export async function readClosedRowFunctions(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(CLOSED_ROW_FUNCTIONS);
  return rows.map(({ name }) => name);
}
