import { ExitCode, OperatorError } from '../../event/errors';
import { connect } from '../postgres';

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
