import { randomBytes } from 'node:crypto';
import type { ClientBase } from 'pg';
import { ROLES } from '../../src/database/roles/rights';

/** Logs in as a member of observers_service, as a deployment does, and owns nothing. */
const SERVICE = 'observers_test_service';

/** The roles belong to the whole server, so that no test makes or drops them: every database of a test has their grants from its migration. */
export async function createRoles(client: ClientBase): Promise<readonly string[]> {
  const password = randomBytes(12).toString('hex');
  const { rows } = await client.query<{ rolname: string }>('select rolname from pg_roles where rolname = any ($1)', [[...ROLES, SERVICE]]);
  const missing = [...ROLES, SERVICE].filter((role) => !rows.some(({ rolname }) => rolname === role));
  for (const role of missing) await client.query(`create role ${role} ${role === SERVICE ? 'login' : 'nologin'}`);
  await client.query(`alter role ${SERVICE} password '${password}'; grant observers_service to ${SERVICE}`);
  process.env['TEST_SERVICE_PASSWORD'] = password;
  return missing;
}

/** The same database, as the service would log in. A URL that is no owner's already stays. */
export function asServiceRole(url: string): string {
  const [own, server] = [new URL(url), new URL(process.env['TEST_POSTGRES_URL'] ?? url)];
  if (own.username !== server.username || own.host !== server.host) return url;
  [own.username, own.password] = [SERVICE, process.env['TEST_SERVICE_PASSWORD'] ?? ''];
  return own.toString();
}
