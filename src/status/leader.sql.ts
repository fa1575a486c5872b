import type { ClientBase } from 'pg';

const LEADER = `
  select holder, (l.expires_at >= clock_timestamp() and (l.backend_pid is null or exists (
           select from pg_stat_activity a where a.pid = l.backend_pid and coalesce(a.backend_start = l.backend_start, true)))) as leading
  from observers.lease l where stream = $1`;

/** Who leads a stream now, as a stand-by would judge; null when nobody does. */
export async function readLeader(client: ClientBase, stream: string): Promise<string | null> {
  const { rows } = await client.query<{ holder: string; leading: boolean }>(LEADER, [stream]);
  return rows[0]?.leading === true ? rows[0].holder : null;
}
