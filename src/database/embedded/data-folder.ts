import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { connect } from '../postgres';
import { requireWritable } from './unprivileged';

/** What stands where in a data folder. */
export interface DataPlaces {
  readonly folder: string;
  readonly pgdata: string;
  readonly password: string;
  readonly log: string;
}

export function placesIn(dataDir: string): DataPlaces {
  const folder = resolve(dataDir);
  return { folder, pgdata: join(folder, 'pgdata'), password: join(folder, 'password'), log: join(folder, 'postgres.log') };
}

/** What an initialisation that was interrupted may have left. */
const LEFT_OVER = /^(pgdata\.new|password(\.\d+)?|postgres|postgres\.log|port|demo\.yaml)$/;
/** What others may put into a folder before it is ours: a mount point, a hidden file. */
const TOLERATED = /^(\..*|lost\+found)$/;

/**
 * Makes the folder where there is none. One that holds something else is left as it is: we write files with plain names into it, and
 * change its owner where PostgreSQL must run as somebody else.
 *
 * @throws OperatorError when it cannot be made or written, or is not ours
 */
export function prepareFolder({ folder, pgdata, password }: DataPlaces): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new OperatorError(
      `the data folder ${folder} cannot be made: ${messageOf(error)}`,
      'Set OBSERVERS_DATA_DIR to a folder that can be written.',
      ExitCode.configuration,
      { cause: error },
    );
  }
  requireWritable(folder);
  if (existsSync(join(pgdata, 'PG_VERSION'))) return requirePassword(pgdata, password);
  const inCluster = existsSync(pgdata) ? readdirSync(pgdata).map((name) => join('pgdata', name)) : [];
  const beside = readdirSync(folder).filter((name) => name !== 'pgdata' && !LEFT_OVER.test(name) && !TOLERATED.test(name));
  const foreign = [...inCluster, ...beside];
  if (foreign.length === 0) return;
  const some = `${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}`;
  throw new OperatorError(
    `the data folder ${folder} holds files that are not ours: ${some}`,
    'Set OBSERVERS_DATA_DIR to an empty folder, or to one that does not exist yet.',
    ExitCode.configuration,
  );
}

function requirePassword(pgdata: string, password: string): void {
  if (existsSync(password)) return;
  throw new OperatorError(
    `the password of the PostgreSQL in ${pgdata} is missing: ${password} is not there`,
    `Put the file back, or move ${pgdata} away to begin anew.`,
    ExitCode.configuration,
  );
}

/** The session of a killed owner is gone within a moment. */
const TIMEOUT = 2_000;
const LOCK = "pg_try_advisory_lock(hashtext('fraiseql-observers owner'))";

/**
 * One process owns an embedded server, and stops it: whoever holds a lock in it. Unlike a file with a process number it ends with its
 * holder.
 *
 * @returns what gives the lock back
 * @throws OperatorError when another process runs here
 */
export async function ownServer(url: string, folder: string): Promise<() => Promise<void>> {
  const owner = await connect(url, 'owner');
  const release = (): Promise<void> => owner.end().catch(() => undefined);
  for (const until = Date.now() + TIMEOUT; ;) {
    const { rows } = await owner.query<{ owned: boolean }>(`select ${LOCK} as owned`);
    if (rows[0]?.owned) return release;
    if (Date.now() > until) break;
    await new Promise((again) => setTimeout(again, 50));
  }
  await release();
  throw new OperatorError(
    `another fraiseql-observers already runs in ${folder}`,
    'Stop it first, or set OBSERVERS_DATA_DIR to a folder of its own.',
    ExitCode.configuration,
  );
}
