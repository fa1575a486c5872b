import type { ClientBase } from 'pg';
import { quoteIdentifier, quoteLiteral } from '../../database/names';

/** Owns the capture functions, and may do nothing but record changes. */
export const CAPTURE_ROLE = 'observers_capture';
/** Runs backfills. */
const OPERATOR_ROLE = 'observers_operator';

/** What the connected role may do about the owner of the capture functions. */
export interface CaptureOwner extends LogInfo {
  /**
   * `ready`: the functions can be given to the role. `joinable`: once the connected role has made itself a member. `creatable`: the role has to
   * be made first. `none`: the connected role keeps them.
   */
  readonly role: 'ready' | 'joinable' | 'creatable' | 'none';
  /** The connected one. */
  readonly self: string;
  /** Statements that the role needs, and has not had yet. */
  readonly grants: readonly string[];
}

/** The change log, as far as what is made depends on it. */
export interface LogInfo {
  /** The sequence of its numbers, quoted and qualified; the functions read what they were given. */
  readonly sequence: string | null;
  /** The type of its images: a log that was adopted may have jsonb, which does not take all that json takes. */
  readonly document: 'json' | 'jsonb';
  /** Row-level security is on: a session that has switched it off for itself may not insert. */
  readonly hasPolicies: boolean;
}

// pg_get_serial_sequence would ask for USAGE on the schema, and whoever only compares may not have it. An adopted log may have a default that
// names a sequence of no column.
const SEQUENCE = `(select format('%I.%I', sn.nspname, s.relname) as sequence, s.oid as sequence_oid from pg_class l join pg_namespace n on n.oid = l.relnamespace
    join pg_attribute a on a.attrelid = l.oid and a.attname = 'pk_entity_change_log'
    cross join lateral (
      select 1, d.refobjid from pg_attrdef f join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
      where f.adrelid = l.oid and f.adnum = a.attnum
      union all select 2, d.objid from pg_depend d where d.classid = 'pg_class'::regclass and d.deptype in ('i', 'a')
      and d.refclassid = 'pg_class'::regclass and d.refobjid = l.oid and d.refobjsubid = a.attnum) o(i, oid)
    join pg_class s on s.oid = o.oid and s.relkind = 'S' join pg_namespace sn on sn.oid = s.relnamespace
    where n.nspname = 'core' and l.relname = 'tb_entity_change_log' order by o.i limit 1)`;

// Since version 16 a member may become the role only where that was granted, and CREATEROLE grants only roles that it administers; before,
// any. Whoever is given a function must be allowed to make one in its schema for that moment: the schema's owner grants that.
const OWNER = `
  select case
    when r.rolsuper and not me.rolsuper then 'none'
    when me.rolsuper then case when r.oid is null then 'creatable' else 'ready' end
    when not coalesce((select pg_has_role(n.nspowner, 'USAGE') or has_schema_privilege(n.oid, 'CREATE WITH GRANT OPTION') from pg_namespace n where n.nspname = 'observers'), false) then 'none'
    when r.oid is null then case when me.rolcreaterole then 'creatable' else 'none' end
    when pg_has_role(r.oid, case when v.is16 then 'SET' else 'MEMBER' end) then 'ready'
    when pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') or me.rolcreaterole and not v.is16 then 'joinable'
    else 'none' end as role,
    me.rolname::text as self, q.sequence,
    coalesce((select t.typname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
              where n.nspname = 'core' and c.relname = 'tb_entity_change_log' and a.attname = 'object_data'), 'json') as document,
    coalesce((select c.relrowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = 'core' and c.relname = 'tb_entity_change_log'), false) as "hasPolicies",
    case when r.rolsuper then array['alter role ${CAPTURE_ROLE} nosuperuser'] else '{}' end || array(
      select g.statement || ' to ${CAPTURE_ROLE}' from (values
        (1, 'grant usage on schema core', (select has_schema_privilege(r.oid, n.oid, 'USAGE') from pg_namespace n where n.nspname = 'core')),
        (2, 'grant usage on schema observers', (select has_schema_privilege(r.oid, n.oid, 'USAGE') from pg_namespace n where n.nspname = 'observers')),
        (3, 'grant insert on core.tb_entity_change_log', (select has_table_privilege(r.oid, c.oid, 'INSERT') from pg_class c join pg_namespace n on n.oid = c.relnamespace
                                                         where n.nspname = 'core' and c.relname = 'tb_entity_change_log')),
        (4, 'grant select on observers.mask_salt', (select has_table_privilege(r.oid, c.oid, 'SELECT') from pg_class c join pg_namespace n on n.oid = c.relnamespace
                                                   where n.nspname = 'observers' and c.relname = 'mask_salt')),
        (5, 'grant usage on sequence ' || q.sequence, has_sequence_privilege(r.oid, q.sequence_oid, 'USAGE')),
        (6, 'grant execute on function observers.capture_chain(bigint, bigint)', (select has_function_privilege(r.oid, p.oid, 'EXECUTE') from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                                                                                 where n.nspname = 'observers' and p.proname = 'capture_chain'))
      ) g(i, statement, held) where g.held is not true and g.statement is not null order by g.i) as grants
  from pg_roles me left join pg_roles r on r.rolname = '${CAPTURE_ROLE}'
  cross join (select current_setting('server_version_num')::int >= 160000 as is16) v
  left join ${SEQUENCE} q on true
  where me.rolname = current_user`;

export async function ownerOf(client: ClientBase): Promise<CaptureOwner> {
  const { rows } = await client.query<CaptureOwner>(OWNER);
  if (!rows[0]) throw new Error('the query for the owner of capture functions returned nothing');
  return rows[0];
}

/**
 * Statements that give the functions to the role that may only record; in one transaction with what made them, and behind their triggers.
 *
 * @param called those of them that operators call
 * @param conditions what they call, which runs with the rights of whoever calls it; default privileges may have closed it
 */
export function ownedBy(
  owner: CaptureOwner,
  functions: readonly string[],
  { called, conditions }: { readonly called: readonly string[]; readonly conditions: readonly string[] },
): string[] {
  const closed = [
    ...functions.map((name) => `revoke all on function ${name} from public`),
    openToOperators(called),
    ...conditions.map((name) => `grant execute on function ${name} to public`),
  ];
  if (owner.role === 'none') return closed;
  return [
    ...(owner.role === 'creatable' ? [createRole()] : []),
    ...(owner.role === 'ready' ? [] : [JOIN]),
    ...owner.grants,
    ...closed,
    `grant create on schema observers to ${CAPTURE_ROLE}`,
    ...functions.map((name) => `alter function ${name} owner to ${CAPTURE_ROLE}`),
    `revoke create on schema observers from ${CAPTURE_ROLE}`,
  ];
}

/** While they are ours to open. */
function openToOperators(functions: readonly string[]): string {
  const grant = `grant execute on function ${functions.join(', ')} to ${OPERATOR_ROLE}`;
  return `do $$ begin if exists (select from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) '${OPERATOR_ROLE}') then ${grant}; end if; end $$`;
}

/**
 * Where the applying role keeps the functions: what they are going to do, tried as that role. What it may not do fails here, and not in
 * every write of the table.
 */
export function triedBy({ role, sequence }: CaptureOwner, keepsOrder: boolean): string[] {
  if (role !== 'none') return [];
  return [
    `insert into core.tb_entity_change_log (object_type, modification_type) select '', '' where false`,
    ...(keepsOrder && sequence !== null
      ? [`select pg_catalog.nextval(${quoteLiteral(sequence)}), observers.capture_chain(null, null)`]
      : []),
  ];
}

/** Another instance may make it at the same moment; roles are the cluster's. */
function createRole(): string {
  return `do $$ begin create role ${CAPTURE_ROLE} nologin; exception when duplicate_object or unique_violation then null; end $$`;
}

// A superuser needs no membership, and its statement would be one that stays.
const JOIN = `do $$ begin
  if not (select r.rolsuper from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) current_user) then
    execute pg_catalog.concat('grant ${CAPTURE_ROLE} to current_user',
      case when pg_catalog.current_setting('server_version_num')::pg_catalog.int4 operator(pg_catalog.>=) 160000 then ' with inherit false, set true' end);
  end if;
end $$`;

/** For people: who runs the functions when they cannot be given away, and what a DBA can do about it; null when they can. */
export function ownerNote({ role, self }: CaptureOwner): string | null {
  if (role !== 'none') return null;
  return `the capture functions stay with the role ${quoteIdentifier(self)}: owners of captured tables can run SQL as that role. For a DBA: create role ${CAPTURE_ROLE} nologin (if it is not there); then, as the owner of the schema observers, fraiseql-observers roles apply and capture apply`;
}
