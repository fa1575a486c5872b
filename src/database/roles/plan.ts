import { escapeIdentifier, type ClientBase } from 'pg';
import { ExitCode, OperatorError } from '../../event/errors';
import { FUNCTIONS, PURPOSE, rightsOn, ROLES, SCHEMAS, type Role } from './rights';
import {
  readClosedRowFunctions,
  readGiven,
  readHeld,
  readMightyCapture,
  readOwner,
  readRoles,
  readTables,
  type Grant,
  type OwnerFacts,
} from './state.sql';

export interface RolesPlan {
  /** What is missing, in the order in which it is to be run. */
  readonly sql: readonly string[];
  /** What is allowed that need not be, each with the statement that ends it. */
  readonly excess: readonly { readonly what: string; readonly repair: string }[];
  /** Roles of ours that are not there. */
  readonly missing: readonly Role[];
}

/** Compares the roles with what they should be. Changes nothing. @param roles by default all */
export async function planRoles(client: ClientBase, roles: readonly Role[] = ROLES): Promise<RolesPlan> {
  const found = await readRoles(client, roles);
  const present = roles.filter((role) => found.some(({ name }) => name === role));
  const missing = roles.filter((role) => !present.includes(role));
  const owner = await readOwner(client);
  if (owner === null) throw new OperatorError('the database is not prepared yet', 'Run: fraiseql-observers migrate', ExitCode.connection);
  const wanted = await wantedGrants(client, roles);
  const held = await readHeld(
    client,
    wanted.filter(({ role }) => present.includes(role as Role)),
  );
  const open = wanted.filter((grant) => !held.some((one) => isSame(one, grant)));
  const sql = [
    ...missing.map((role) => `create role ${role} nologin`),
    ...toCapture(owner, roles),
    ...statements(open),
    ...(await toOperators(client, roles)),
  ];
  return { sql, excess: await excessOf(client, found, present, wanted), missing };
}

function isSame(one: Grant, other: Grant): boolean {
  return one.role === other.role && one.object === other.object && one.privilege === other.privilege;
}

async function wantedGrants(client: ClientBase, roles: readonly Role[]): Promise<Grant[]> {
  const tables = await readTables(client);
  return roles.flatMap((role): Grant[] => [
    ...SCHEMAS.map((schema) => ({ role, object: `schema ${schema}`, privilege: 'usage' })),
    ...tables.flatMap((object) => rightsOn(role, object).map((privilege) => ({ role, object, privilege }))),
    ...Object.entries(FUNCTIONS).flatMap(([name, callers]) =>
      callers.includes(role) ? [{ role, object: `function ${name}`, privilege: 'execute' }] : [],
    ),
  ]);
}

/** Whoever applies a capture gives its function away: to a role that it may become. Superusers may become any. */
function toCapture({ owner, isSuperuser, maySetCapture, version }: OwnerFacts, roles: readonly Role[]): string[] {
  if (isSuperuser || maySetCapture === true || !roles.includes('observers_capture')) return [];
  const how = version >= 160_000 ? ' with inherit false, set true' : '';
  return [`grant observers_capture to ${escapeIdentifier(owner)}${how}`];
}

/** They belong to a role that nobody need be a member of, so it grants them itself. */
async function toOperators(client: ClientBase, roles: readonly Role[]): Promise<string[]> {
  const functions = roles.includes('observers_operator') ? await readClosedRowFunctions(client) : [];
  if (functions.length === 0) return [];
  const grant = `grant execute on function ${functions.join(', ')} to observers_operator`;
  return [`do $$ begin set local role observers_capture; ${grant}; reset role; end $$`];
}

/** What a role of ours may do and `who` may not. @param who the name of any role */
export async function lackingOf(client: ClientBase, role: Role, who: string): Promise<Grant[]> {
  const wanted = (await wantedGrants(client, [role])).map((grant) => ({ ...grant, role: who }));
  const held = await readHeld(client, wanted);
  return wanted.filter((grant) => !held.some((one) => isSame(one, grant)));
}

/** One statement for each role and thing. */
function statements(grants: readonly Grant[]): string[] {
  const together = new Map<string, string[]>();
  for (const { role, object, privilege } of grants) {
    const end = `on ${object} to ${role}`;
    together.set(end, [...(together.get(end) ?? []), privilege]);
  }
  return [...together].map(([end, privileges]) => `grant ${privileges.join(', ')} ${end}`);
}

async function excessOf(
  client: ClientBase,
  found: readonly { readonly name: string; readonly too: readonly string[] }[],
  present: readonly Role[],
  wanted: readonly Grant[],
): Promise<RolesPlan['excess']> {
  const attributes = found.flatMap(({ name, too }) =>
    too.map((attribute) => ({ what: `${name} is ${attribute}`, repair: `alter role ${name} no${attribute}` })),
  );
  const given = (await readGiven(client, present)).filter((grant) => !wanted.some((one) => isSame(one, grant)));
  const grants = given.map(({ role, object, privilege }) => ({
    what: `${role} has ${privilege} on ${object}`,
    repair: `revoke ${privilege} on ${object} from ${role}`,
  }));
  const owned = (await readMightyCapture(client)).map(({ function: name, owner, logOwner }) => ({
    what: `${name} belongs to the superuser ${owner}: ${logOwner === null ? 'writes of the captured table run it' : 'triggers on the log run in it'} with all rights`,
    repair: `alter function ${name} owner to ${logOwner === null ? 'observers_capture' : escapeIdentifier(logOwner)}`,
  }));
  return [...attributes, ...grants, ...owned];
}

/** After a migration: what its tables need, for the roles that there are. @returns the statements that it ran */
export async function renewGrants(client: ClientBase): Promise<readonly string[]> {
  const found = await readRoles(client, ROLES);
  const present = ROLES.filter((role) => found.some(({ name }) => name === role));
  if (present.length === 0) return [];
  const { sql } = await planRoles(client, present);
  // What belongs to a capture is opened by capture apply, which the same role may not be allowed to do.
  const grants = sql.filter((statement) => statement.startsWith('grant ') && / on /.test(statement));
  for (const statement of grants) await client.query(statement);
  return grants;
}

/** For people: each role, and what it is for. */
export function describeRoles(): string[] {
  return ROLES.map((role) => `-- ${role}: ${PURPOSE[role]}`);
}
