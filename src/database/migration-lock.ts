import type { Client } from 'pg';
import { ExitCode, OperatorError } from '../event/errors';
import { connect, disconnect } from './postgres';

const KEY = "hashtext('fraiseql-observers migrations')::bigint";
/** How long one migration waits for another, in milliseconds. All of them take half a second on an empty database, and 12 s on a busy machine. */
const PATIENCE = 60_000;
const BETWEEN_TRIES = 100;

/**
 * Two instances that start together: the second waits for the first, and then finds nothing to do. Any role may take an advisory lock,
 * and a migration of a large table may take long, so it does not wait for ever.
 *
 * The lock is that of a transaction, so that it holds behind a pooler too, and ends with us. READ COMMITTED: a transaction that keeps its
 * snapshot would be waited for by the indexes that are built concurrently.
 *
 * @throws OperatorError who holds it, and how to end that
 */
export async function withMigrationLock<T>(url: string, work: () => Promise<T>, patience = PATIENCE): Promise<T> {
  const holder = await connect(url, 'migrate');
  try {
    await holder.query('begin isolation level read committed');
    await holder.query(NO_TIMEOUTS);
    for (const until = Date.now() + patience; !(await taken(holder));) {
      if (Date.now() > until) throw await heldByAnother(holder, patience);
      await new Promise((again) => setTimeout(again, BETWEEN_TRIES));
    }
    return await work();
  } finally {
    await disconnect(holder);
  }
}

// It waits idle while others work.
const NO_TIMEOUTS = `
  select set_config(name, '0', true) from pg_settings
  where name in ('idle_in_transaction_session_timeout', 'transaction_timeout', 'statement_timeout')`;

async function taken(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(`select pg_try_advisory_xact_lock(${KEY}) as taken`);
  return rows[0]?.taken ?? false;
}

// Every role may see of every session who it is.
const HOLDER = `
  select l.pid, coalesce(a.usename::text, 'a role that is gone') as role, coalesce(a.application_name, '') as application,
         a.client_addr::text as address
  from pg_locks l left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = (select oid from pg_database where datname = current_database())
    and ((l.classid::bigint << 32) | l.objid::bigint) = ${KEY}
  order by l.pid limit 1`;

async function heldByAnother(client: Client, patience: number): Promise<OperatorError> {
  const { rows } = await client.query<{ pid: number; role: string; application: string; address: string | null }>(HOLDER);
  const [holder] = rows;
  const waited = `the lock of the migrations was not free within ${Math.ceil(patience / 1_000)} s`;
  if (holder === undefined) return new OperatorError(`${waited}; by now nobody holds it`, 'Run it again.', ExitCode.connection);
  const { pid, role, application, address } = holder;
  const where = address === null ? '' : ` from ${address}`;
  return new OperatorError(
    `${waited}: pid ${pid} holds it, role ${role}, application "${application}"${where}`,
    `Wait for it when it is another migration; otherwise end it as an administrator or as the role ${role}: select pg_terminate_backend(${pid})`,
    ExitCode.connection,
  );
}
