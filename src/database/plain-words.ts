import { ExitCode, messageOf, OperatorError } from '../event/errors';

interface Words {
  /** SQLSTATE, or the system's name of the error. */
  readonly code: RegExp;
  readonly what: string;
  readonly remedy: string;
  readonly exitCode?: ExitCode;
}

const DOCTOR = 'fraiseql-observers doctor';

/** What a database may refuse without a mistake of ours, in the words of whoever has to mend it. */
const KNOWN: readonly Words[] = [
  { code: /^(42P01|3F000)$/, what: 'the database is not prepared yet', remedy: 'Run: fraiseql-observers migrate' },
  {
    code: /^42501$/,
    what: 'the role of DATABASE_URL may not do this',
    remedy: `What it needs, and the statements that give it: ${DOCTOR}`,
  },
  {
    code: /^25006$/,
    what: 'the database takes no writes from this connection',
    remedy:
      'If it is a standby, point DATABASE_URL to the primary. Otherwise default_transaction_read_only is on for the role, the database or the server: alter role … reset default_transaction_read_only (or alter database, or alter system).',
  },
  {
    code: /^57014$/,
    what: 'PostgreSQL has cancelled the statement',
    remedy: 'Run it again. If it happens each time, a pooler or an administrator limits how long a statement may take: raise that limit.',
  },
  {
    code: /^55P03$/,
    what: 'another transaction holds a lock that this needs',
    remedy: `Run it again when that transaction has ended; long ones are listed by: ${DOCTOR}`,
  },
  {
    code: /^(22021|22P05|22P06)$/,
    what: 'a text cannot be converted between UTF-8 and the encoding of the database',
    remedy: `Leave the character out, or move to a database whose encoding is UTF8; what it is now, and what follows, says: ${DOCTOR}`,
  },
  { code: /^40/, what: 'it collided with another transaction, and nothing was done', remedy: 'Run it again.' },
  {
    code: /^53/,
    what: 'the server has run out of something',
    remedy: 'Free disk space, memory or connections on the server, then run it again.',
  },
  {
    code: /^(26000|42P05)$/,
    what: 'a pooler between here and the server does not keep prepared statements',
    remedy: 'Give a direct DATABASE_URL, a session pool, or PgBouncer 1.21 or later with max_prepared_statements.',
  },
  {
    code: /^(08|57P|25P03|25P04|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET)/,
    what: 'the connection to PostgreSQL was lost',
    remedy: 'Check that the server runs and is reachable, then run it again.',
  },
];

// The driver's own complaints have no code.
const LOST = /^(connection terminated|query read timeout|client has encountered a connection error)/i;
/** A column or function of ours that is not there: the program is newer than the schema. */
const OLDER_SCHEMA = /^(42883|42703)$/;

/** A refusal of the database with what to do about it; everything else as it is. */
export function inPlainWords(error: unknown): unknown {
  const known = wordsFor(error);
  if (known === undefined) return error;
  const { what, remedy, exitCode = ExitCode.connection } = known;
  return new OperatorError(`${what}: ${messageOf(error)}`, remedy, exitCode, { cause: error });
}

function wordsFor(error: unknown): Omit<Words, 'code'> | undefined {
  if (!(error instanceof Error) || error instanceof OperatorError) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return LOST.test(error.message) ? KNOWN.at(-1) : undefined;
  if (OLDER_SCHEMA.test(code) && /observers\./.test(error.message)) return KNOWN[0];
  return KNOWN.find((words) => words.code.test(code));
}
