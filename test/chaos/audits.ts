import type { Client } from 'pg';
import { verify } from '../../src/audit/verify';
import { loadSettings, readDefinition } from '../../src/config/load';
import { Versions } from '../../src/explain/versions';
import { eventually } from '../support/until';

/** What was called missing and was found on record later would be gone from the table, and a false alarm all the same. */
export async function rememberAlarms(client: Client): Promise<void> {
  await client.query(`create table alarm (change_number bigint, observer text);
    create function remember() returns trigger language plpgsql as 'begin insert into public.alarm values (new.change_number, new.observer); return null; end';
    create trigger remember after insert on observers.unaccounted for each row execute function remember()`);
}

const PLACE = `
  select a.previous::text = c.previous::text and a.target is null as through, a.patrolled = (select max(pk_entity_change_log) from core.tb_entity_change_log) as around
  from observers.audit a join observers.checkpoint c using (stream)`;

/** Until the audit in the background has accounted for everything that the stream has passed, and gone around once more. */
export async function backgroundAudit(client: Client): Promise<{ unaccounted: number }> {
  const ask = async (): Promise<{ through: boolean; around: boolean } | undefined> =>
    (await client.query<{ through: boolean; around: boolean }>(PLACE)).rows[0];
  await eventually(ask, (at) => at?.through === true && at.around, 120_000);
  const { rows } = await client.query<{ unaccounted: number }>('select count(*)::int as unaccounted from alarm');
  return { unaccounted: rows[0]?.unaccounted ?? -1 };
}

/** As `audit verify` does it. @param configFile that of the service */
export function auditEverything(client: Client, url: string, configFile: string): ReturnType<typeof verify> {
  const input = { env: { DATABASE_URL: url }, configFile };
  const settings = loadSettings({ env: input.env });
  const { stream, retention, maxEventSize } = settings;
  const versions = new Versions(client, (text) => readDefinition(input, settings, text));
  return verify(client, { stream, retention, maxEventSize, since: null }, versions);
}
