import type { ClientBase, Pool } from 'pg';
import { ExitCode, OperatorError } from '../event/errors';
import { BEGINNING, type Cursor } from './cursor';

interface CheckpointRow {
  readonly previous: string;
  readonly target: string | null;
  readonly after: string;
  readonly system_identifier: string;
  readonly current_system: string;
  readonly ahead: boolean;
}

// pg_control_system() is open to everyone; the next xid of the server is the xmax of a snapshot taken now.
const LOAD = `
  insert into observers.checkpoint (stream, epoch, system_identifier, previous)
  values ($1, $2, (select system_identifier::text from pg_control_system()), $3)
  on conflict (stream) do update set epoch = excluded.epoch
  returning previous::text, target::text, after, system_identifier, (select system_identifier::text from pg_control_system()) as current_system,
            pg_snapshot_xmax(previous) > pg_snapshot_xmax(pg_current_snapshot()) as ahead`;

/**
 * Where the stream stands; a new stream begins at the beginning of the log.
 *
 * @throws OperatorError when the checkpoint is of another cluster, or of a future that a restore has undone
 */
export async function loadCheckpoint(client: ClientBase | Pool, stream: string, epoch: number): Promise<Cursor> {
  const { rows } = await client.query<CheckpointRow>(LOAD, [stream, epoch, BEGINNING.previous]);
  const row = rows[0];
  if (!row) throw new Error('the checkpoint was not returned');
  const remedy =
    'Look at it: fraiseql-observers checkpoint show. Then decide from where to go on: fraiseql-observers checkpoint reset --to now|beginning|EVENT_ID';
  if (row.system_identifier !== row.current_system) {
    const message = `the checkpoint of stream "${stream}" belongs to another PostgreSQL cluster (${row.system_identifier}, this one is ${row.current_system})`;
    throw new OperatorError(message, remedy, ExitCode.configuration);
  }
  if (row.ahead) {
    const message = `the checkpoint of stream "${stream}" lies in the future of this server, which was probably restored from a backup`;
    throw new OperatorError(message, remedy, ExitCode.configuration);
  }
  return { previous: row.previous, target: row.target, after: Number(row.after) };
}

/** Where the stream stands, for whoever only looks; null when it has never been read. */
export async function readCheckpoint(client: ClientBase | Pool, stream: string): Promise<Cursor | null> {
  const { rows } = await client.query<Cursor>(
    'select previous::text, target::text, after::float8 as after from observers.checkpoint where stream = $1',
    [stream],
  );
  return rows[0] ?? null;
}
