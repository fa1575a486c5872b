import { quoteIdentifier } from '../database/names';
import { ok, problem, warning, type Finding } from './finding';
import type { ServerFacts } from './server.sql';

/** What follows from the database's encoding. */
export function encodingFinding(encoding: string): Finding {
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
export function readOnlyFindings({ readOnlyBy, database, role }: ServerFacts): Finding[] {
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
