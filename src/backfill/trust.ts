import type { ClientBase } from 'pg';
import { ExitCode, OperatorError } from '../event/errors';

interface Facts {
  readonly same: boolean;
  readonly role: string;
  readonly owner: string;
  /** Functions that PostgreSQL may call when a superuser only reads the table. */
  readonly functions: readonly string[];
}

// What PostgreSQL computes when it plans a statement, as whoever sends it: calls with constant arguments in expressions of indexes, statistics,
// partition keys and CHECKs, of the table and of what hangs below it. Functions of superusers are trusted as they are.
const FACTS = `
  with recursive me as (
    select r.oid, r.rolsuper, quote_ident(r.rolname) as name from pg_roles r where r.rolname = current_user
  ), relation as (
    select $1::oid as oid union select i.inhrelid from relation r join pg_inherits i on i.inhparent = r.oid
  ), holder as (
    select 'pg_class'::regclass as class, oid from relation
    union all select 'pg_class'::regclass, i.indexrelid from pg_index i join relation r on r.oid = i.indrelid
    union all select 'pg_constraint'::regclass, c.oid from pg_constraint c join relation r on r.oid = c.conrelid where c.contype = 'c'
    union all select 'pg_statistic_ext'::regclass, s.oid from pg_statistic_ext s join relation r on r.oid = s.stxrelid
  ), called as (
    select case when d.refclassid = 'pg_operator'::regclass then (select o.oprcode::oid from pg_operator o where o.oid = d.refobjid) else d.refobjid end as oid
    from holder h join pg_depend d on d.classid = h.class and d.objid = h.oid and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
  )
  select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::oid and c.relkind in ('r', 'p') and format('%I.%I', n.nspname, c.relname) = $2) as same,
    me.name as role, (select quote_ident(pg_get_userbyid(c.relowner)) from pg_class c where c.oid = $1::oid) as owner,
    case when me.rolsuper then array(select distinct p.oid::regprocedure::text from called join pg_proc p on p.oid = called.oid join pg_roles o on o.oid = p.proowner where not o.rolsuper order by 1) else '{}' end as functions
  from me`;

/**
 * Whether the table is still the one that the statements were made for.
 *
 * @throws OperatorError where a superuser would run functions of others by merely reading it
 */
export async function requireTheSame(
  client: ClientBase,
  { relid, table }: { readonly relid: number; readonly table: string },
): Promise<boolean> {
  const { rows } = await client.query<Facts>(FACTS, [relid, table]);
  const [facts] = rows;
  if (facts === undefined || !facts.same) return false;
  if (facts.functions.length === 0) return true;
  throw new OperatorError(
    `the superuser ${facts.role} does not read ${table}: an index, a CHECK or another expression of it calls ${facts.functions.join(', ')}, which PostgreSQL may run as that role`,
    `Run it as a role that is no superuser: a member of observers_operator, or the owner of the table (${facts.owner}).`,
    ExitCode.connection,
  );
}

/** For superusers: a view that takes the table's name meanwhile is not read, for its functions would run as that role. */
export const NO_VIEWS = `select pg_catalog.set_config('restrict_nonsystem_relation_kind', 'view', true) from pg_catalog.pg_roles r
  where r.rolname operator(pg_catalog.=) current_user and r.rolsuper and pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) is not null`;
