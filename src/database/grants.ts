import type { Client } from 'pg';

const QUERY = `
  select current_user as role, current_database() as database,
         has_database_privilege(current_database(), 'CREATE') as may_create_schemas,
         array(select nspname::text from pg_namespace where nspname in ('core', 'observers')
               and not (has_schema_privilege(oid, 'USAGE') and has_schema_privilege(oid, 'CREATE'))) as closed_schemas,
         array(select nspname::text from unnest(array['core', 'observers']) as nspname
               where not exists (select from pg_namespace n where n.nspname = nspname.nspname)) as missing_schemas,
         (select pg_get_userbyid(relowner) from pg_class
          where oid = to_regclass('core.tb_entity_change_log') and not pg_has_role(relowner, 'USAGE')) as log_owner`;

/** The statements that give the connected role what it lacks to migrate; empty when it lacks nothing. */
export async function missingGrants(client: Client): Promise<string[]> {
  const { rows } = await client.query<{
    role: string;
    database: string;
    may_create_schemas: boolean;
    closed_schemas: string[];
    missing_schemas: string[];
    log_owner: string | null;
  }>(QUERY);
  const found = rows[0];
  if (!found) return [];
  const role = client.escapeIdentifier(found.role);
  const grants: string[] = [];
  if (found.missing_schemas.length > 0 && !found.may_create_schemas) {
    grants.push(`grant create on database ${client.escapeIdentifier(found.database)} to ${role}`);
  }
  for (const schema of found.closed_schemas) grants.push(`grant usage, create on schema ${schema} to ${role}`);
  // ALTER TABLE is for owners only; there is no grant for it.
  if (found.log_owner !== null) grants.push(`grant ${client.escapeIdentifier(found.log_owner)} to ${role}`);
  return grants;
}
