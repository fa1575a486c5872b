import type { ClientBase } from 'pg';
import { ExitCode, messageOf, OperatorError } from '../event/errors';
import { lackingOf } from './roles/plan';
import type { Role } from './roles/rights';
import { readRoles } from './roles/state.sql';

export const NOT_ALLOWED = '42501';

const FACTS = `
  select current_user::text as role, current_database()::text as database,
         has_database_privilege(current_database(), 'CREATE') as may_create_schemas,
         array(select nspname::text from pg_namespace where nspname in ('core', 'observers')
               and not (has_schema_privilege(oid, 'USAGE') and has_schema_privilege(oid, 'CREATE')) order by 1) as closed_schemas,
         array(select nspname::text from unnest(array['core', 'observers']) as nspname
               where not exists (select from pg_namespace n where n.nspname = nspname.nspname)) as missing_schemas,
         array(select distinct pg_get_userbyid(c.relowner)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where (n.nspname = 'observers' and c.relkind in ('r', 'p') or n.nspname = 'core' and c.relname = 'tb_entity_change_log')
                 and not pg_has_role(c.relowner, 'USAGE') order by 1) as owners,
         exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'observers' and c.relname = 'migration') as migrated`;

interface Facts {
  readonly role: string;
  readonly database: string;
  readonly may_create_schemas: boolean;
  readonly closed_schemas: readonly string[];
  readonly missing_schemas: readonly string[];
  /** Owners of our tables, without the connected role. */
  readonly owners: readonly string[];
  readonly migrated: boolean;
}

async function readFacts(client: ClientBase): Promise<Facts> {
  const { rows } = await client.query<Facts>(FACTS);
  if (!rows[0]) throw new Error('the query for grants returned nothing');
  return rows[0];
}

/** Why a role may not migrate, and the least that helps. */
export async function explainMigrationRefusal(client: ClientBase, error: unknown): Promise<OperatorError> {
  const facts = await readFacts(client);
  const message = `the role ${facts.role} may not prepare the database: ${messageOf(error)}`;
  return new OperatorError(message, await migrationRemedy(client, facts), ExitCode.connection, { cause: error });
}

/** @throws OperatorError when another role owns tables that are to be changed */
export async function requireOwnership(client: ClientBase): Promise<void> {
  const { owners } = await readFacts(client);
  if (owners.length > 0) throw await explainMigrationRefusal(client, new Error('must be owner of the tables that are to be changed'));
}

async function migrationRemedy(client: ClientBase, facts: Facts): Promise<string> {
  const { database, may_create_schemas, closed_schemas, missing_schemas, owners, migrated } = facts;
  const role = client.escapeIdentifier(facts.role);
  // Tables are changed by their owner; there is no grant for it, and to be a member of the owner is to be allowed everything it is.
  if (owners.length > 0) {
    const whose = `the role ${owners.map((owner) => client.escapeIdentifier(owner)).join(' and ')}`;
    const toMigrate = `Migrate as ${whose}, which owns the tables: fraiseql-observers migrate`;
    return migrated ? `${toMigrate}. To run the service as ${role}: ${await toBecome(client, 'observers_service', facts.role)}` : toMigrate;
  }
  const grants: string[] = [];
  if (missing_schemas.length > 0 && !may_create_schemas)
    grants.push(`grant create on database ${client.escapeIdentifier(database)} to ${role}`);
  for (const schema of closed_schemas) grants.push(`grant usage, create on schema ${schema} to ${role}`);
  return grants.length > 0
    ? `Run as an administrator: ${grants.join('; ')}`
    : 'Run it as the role that owns the schemas core and observers and what is in them.';
}

/** How a login role gets what a role of ours may do. */
export async function toBecome(client: ClientBase, ours: Role, who: string): Promise<string> {
  const grant = `grant ${ours} to ${client.escapeIdentifier(who)}`;
  const [found] = await readRoles(client, [ours]);
  return found === undefined ? `fraiseql-observers roles apply, then ${grant}` : grant;
}

/** The connected role, and which of our roles it is as good as, the mightiest first. */
export async function rightsOfSession(client: ClientBase): Promise<{ readonly role: string; readonly as: readonly Role[] }> {
  const { rows } = await client.query<{ role: string }>('select current_user::text as role');
  const role = rows[0]?.role ?? '';
  const as: Role[] = [];
  for (const ours of ['observers_service', 'observers_operator', 'observers_reader'] as const) {
    if ((await lackingOf(client, ours, role)).length === 0) as.push(ours);
  }
  return { role, as };
}

/** @throws OperatorError when the connected role may not run the service: what it lacks, and the least that helps */
export async function requireServiceRights(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ role: string }>('select current_user::text as role');
  const role = rows[0]?.role ?? '';
  const lacking = await lackingOf(client, 'observers_service', role);
  const [first] = lacking;
  if (first === undefined) return;
  const more = lacking.length === 1 ? '' : `, and ${lacking.length - 1} more`;
  throw new OperatorError(
    `the role ${role} may not run the service: it lacks ${first.privilege} on ${first.object}${more}`,
    `Run as an administrator: ${await toBecome(client, 'observers_service', role)}`,
    ExitCode.connection,
  );
}

/** What a command was refused, in the operator's words. */
export async function explainRefusal(client: ClientBase, error: unknown): Promise<OperatorError> {
  // What failed may have stood in a transaction.
  await client.query('rollback').catch(() => undefined);
  const { role, as } = await rightsOfSession(client);
  const ours: Role = as.includes('observers_reader') ? 'observers_operator' : 'observers_reader';
  const more = ours === 'observers_reader' ? '; to change something too: observers_operator' : '';
  const remedy = as.includes('observers_operator')
    ? 'Run it as the role that owns what is named there.'
    : `Run as an administrator: ${await toBecome(client, ours, role)}${more}`;
  return new OperatorError(`the role ${role} may not do this: ${messageOf(error)}`, remedy, ExitCode.connection, { cause: error });
}
