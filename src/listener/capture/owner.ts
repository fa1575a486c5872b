import type { ClientBase } from 'pg';

/** Owns the capture functions, and may do nothing but record changes. */
export const CAPTURE_ROLE = 'observers_capture';

/** What the connected role may do about the owner of the capture functions. */
export interface CaptureOwner {
  /** `ready`: the functions can be given to the role. `creatable`: it has to be made first. `none`: the applying role keeps them. */
  readonly role: 'ready' | 'creatable' | 'none';
  /** Of the change log's numbers: quoted, qualified; the functions read what they were given. */
  readonly sequence: string | null;
}

// pg_get_serial_sequence would ask for USAGE on the schema, and whoever only compares may not have it.
const SEQUENCE = `(select format('%I.%I', sn.nspname, s.relname) from pg_class l join pg_namespace n on n.oid = l.relnamespace
    join pg_attribute a on a.attrelid = l.oid and a.attname = 'pk_entity_change_log'
    join pg_depend d on d.refobjid = l.oid and d.refobjsubid = a.attnum and d.deptype in ('i', 'a') and d.classid = 'pg_class'::regclass
    join pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_namespace sn on sn.oid = s.relnamespace
    where n.nspname = 'core' and l.relname = 'tb_entity_change_log')`;

const OWNER = `
  select case
    when r.oid is null and (me.rolsuper or me.rolcreaterole) then 'creatable'
    when r.oid is not null and (me.rolsuper or pg_has_role(r.oid, 'MEMBER')) then 'ready'
    when r.oid is not null and me.rolcreaterole then 'ready'
    else 'none' end as role,
    ${SEQUENCE} as sequence
  from pg_roles me left join pg_roles r on r.rolname = '${CAPTURE_ROLE}' where me.rolname = current_user`;

export async function ownerOf(client: ClientBase): Promise<CaptureOwner> {
  const { rows } = await client.query<CaptureOwner>(OWNER);
  return rows[0] ?? { role: 'none', sequence: null };
}

/** Statements that give the functions to the role that may only record; in one transaction with what made them. */
export function ownedBy(owner: CaptureOwner, functions: readonly string[]): string[] {
  const closed = functions.map((name) => `revoke all on function ${name}() from public`);
  if (owner.role === 'none') return closed;
  return [
    ...(owner.role === 'creatable' ? [createRole()] : []),
    ...captureGrants(owner.sequence),
    // Whoever is given a function must be allowed to make one in its schema: for this moment only.
    `grant create on schema observers to ${CAPTURE_ROLE}`,
    ...functions.map((name) => `alter function ${name}() owner to ${CAPTURE_ROLE}`),
    `revoke create on schema observers from ${CAPTURE_ROLE}`,
    ...functions.map((name) => `revoke all on function ${name}() from public`),
  ];
}

/** Another instance may make it at the same moment; roles are the cluster's. */
function createRole(): string {
  return `do $$ begin create role ${CAPTURE_ROLE} nologin; exception when duplicate_object or unique_violation then null; end $$`;
}

export function captureGrants(sequence: string | null): string[] {
  return [
    `grant usage on schema core, observers to ${CAPTURE_ROLE}`,
    `grant insert on core.tb_entity_change_log to ${CAPTURE_ROLE}`,
    `grant select on observers.mask_salt to ${CAPTURE_ROLE}`,
    ...(sequence === null ? [] : [`grant usage on sequence ${sequence} to ${CAPTURE_ROLE}`]),
  ];
}
