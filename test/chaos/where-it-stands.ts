import type { ChildProcess } from 'node:child_process';
import { connectAsApplication } from '../support/database';

const STATE = `
  select json_build_object(
    'committed', (select count(*) from truth),
    'log', (select max(pk_entity_change_log) from core.tb_entity_change_log),
    'checkpoint', (select row_to_json(c) from observers.checkpoint c),
    'lease', (select row_to_json(l) from observers.lease l),
    'listeners', (select json_agg(json_build_object('id', id, 'beat', heartbeat_at, 'in flight', in_flight)) from observers.listener),
    'pending', (select json_agg(p) from (select endpoint, state, count(*), min(change_number) from observers.pending_delivery group by 1, 2) p),
    'sessions', (select json_agg(s) from (select application_name, state, wait_event_type, wait_event, now() - query_start as since, left(query, 120) as query
                                          from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()) s)) as state`;

/** For whoever asks why nothing is delivered any more. */
export async function whereItStands(url: string, service: ChildProcess | null): Promise<string> {
  const ended = service === null ? 'none' : (service.exitCode ?? service.signalCode ?? 'runs');
  const client = await connectAsApplication(url, 'chaos');
  try {
    const { rows } = await client.query<{ state: object }>(STATE);
    return `service: ${ended}; ${JSON.stringify(rows[0]?.state)}`;
  } finally {
    await client.end();
  }
}
