import type { Client } from 'pg';
import { quoteIdentifier } from '../database/names';
import { ok, problem, warning, type Finding } from './finding';
import type { ServerFacts } from './server.sql';

const LARGEST_SKEW = 2_000;

/** What the server is, and what it was told to be. */
export function serverFindings(server: ServerFacts): Finding[] {
  const { version, database, isStandby, synchronousCommit } = server;
  return [
    isStandby
      ? problem(
          'server',
          `PostgreSQL ${version}, database ${database}, is a standby: nothing can be written`,
          'point DATABASE_URL to the primary',
        )
      : ok('server', `PostgreSQL ${version}, database ${database}`),
    synchronousCommit === 'off'
      ? warning(
          'durability',
          'synchronous_commit is off: a crash may forget what was delivered, or its record',
          'alter role … set synchronous_commit = on',
        )
      : ok('durability', `synchronous_commit is ${synchronousCommit}`),
    encodingFinding(server.encoding),
    ...readOnlyFindings(server),
  ];
}

/** A pooler gives the driver a process number of its own making. */
export function pooler(client: Client, { pid }: ServerFacts): Finding {
  const { processID } = client as Client & { processID: number | null };
  if (processID === pid) return ok('pooler', 'none stands between here and the server');
  return warning('pooler', 'a pooler (PgBouncer, say) stands between here and the server: LISTEN does not reach it in transaction mode', 'give the service a direct DATABASE_URL, or set OBSERVERS_WAKEUP=poll'); // prettier-ignore
}

/** @param milliseconds by which the server is ahead */
export function skew(milliseconds: number): Finding {
  const seconds = Math.round(milliseconds / 100) / 10;
  if (Math.abs(milliseconds) <= LARGEST_SKEW) return ok('clock', "this machine's and the server's agree");
  return warning('clock', `the server's clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} this machine's: latencies and Retry-After dates are off by as much`, 'synchronise both clocks (NTP)'); // prettier-ignore
}

/** What follows from the database's encoding. */
function encodingFinding(encoding: string): Finding {
  if (encoding === 'UTF8') return ok('encoding', 'UTF8');
  if (encoding === 'SQL_ASCII') {
    return warning(
      'encoding',
      'SQL_ASCII: the database takes any byte, and a change that has bytes which are not UTF-8 goes into quarantine',
      'have every client write UTF-8, or move to a database of encoding UTF8: createdb --encoding=UTF8 --template=template0, pg_dump, psql',
    );
  }
  return ok(
    'encoding',
    `${encoding}: converted to UTF-8; characters that it lacks (in answers, error messages, the observers file) are kept as \\uXXXX, and a change that UTF-8 lacks a character for goes into quarantine`,
  );
}

/** A database or role that is switched to reading only. */
function readOnlyFindings({ readOnlyBy, database, role }: ServerFacts): Finding[] {
  if (readOnlyBy === null) return [];
  const repair = repairOf(readOnlyBy, quoteIdentifier(role), quoteIdentifier(database));
  return [problem('writes', `default_transaction_read_only is on (set by: ${readOnlyBy}): the service can write nothing`, repair)];
}

/** @param source as pg_settings says where a setting comes from */
function repairOf(source: string, role: string, database: string): string {
  switch (source) {
    case 'database':
      return `alter database ${database} reset default_transaction_read_only`;
    case 'user':
      return `alter role ${role} reset default_transaction_read_only`;
    case 'database user':
      return `alter role ${role} in database ${database} reset default_transaction_read_only`;
    case 'client':
      return 'take default_transaction_read_only out of the options of DATABASE_URL';
    default:
      return 'take default_transaction_read_only out of postgresql.conf (alter system reset default_transaction_read_only), then select pg_reload_conf()';
  }
}
