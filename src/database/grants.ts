import type { Client } from 'pg';

const QUERY = `
  select current_user as role, current_database() as database,
         has_database_privilege(current_database(), 'CREATE') as may_create_schemas,
         array(select nspname::text from pg_namespace where nspname in ('core', 'observers')
               and not (has_schema_privilege(oid, 'USAGE') and has_schema_privilege(oid, 'CREATE')) order by 1) as closed_schemas,
         array(select nspname::text from unnest(array['core', 'observers']) as nspname
               where not exists (select from pg_namespace n where n.nspname = nspname.nspname)) as missing_schemas,
         array(select distinct pg_get_userbyid(c.relowner)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where (n.nspname = 'observers' and c.relkind in ('r', 'p') or n.nspname = 'core' and c.relname = 'tb_entity_change_log')
                 and not pg_has_role(c.relowner, 'USAGE') order by 1) as owners`;

/** The connected role, and the statements that give it what it lacks to migrate; none when it lacks nothing. */
export async function missingGrants(client: Client): Promise<{ role: string; grants: string[] }> {
  const { rows } = await client.query<{
    role: string;
    database: string;
    may_create_schemas: boolean;
    closed_schemas: string[];
    missing_schemas: string[];
    owners: string[];
  }>(QUERY);
  const found = rows[0];
  if (!found) throw new Error('the query for grants returned nothing');
  const role = client.escapeIdentifier(found.role);
  const grants: string[] = [];
  if (found.missing_schemas.length > 0 && !found.may_create_schemas) {
    grants.push(`grant create on database ${client.escapeIdentifier(found.database)} to ${role}`);
  }
  for (const schema of found.closed_schemas) grants.push(`grant usage, create on schema ${schema} to ${role}`);
  // ALTER TABLE and new partitions are for owners only; there is no grant for it.
  for (const owner of found.owners) grants.push(`grant ${client.escapeIdentifier(owner)} to ${role}`);
  return { role: found.role, grants };
}
