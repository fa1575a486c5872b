import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/database/embedded/embedded-postgres';

/** Ours, which is a dependency; the others are development dependencies called postgres-14 and so on. */
export const OUR_VERSION = 18;

/** A server for measurements, in a folder that is there. */
export function startVersion(version: number, dataDir: string): Promise<EmbeddedPostgres> {
  // Autovacuum and checkpoints would come upon one table and not upon another.
  const settings = { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h', autovacuum: 'off' };
  if (version === OUR_VERSION) return startEmbeddedPostgres({ dataDir, settings });
  const binariesOf = join(process.cwd(), 'node_modules', `postgres-${version}`);
  if (!existsSync(binariesOf)) throw new Error(`PostgreSQL ${version} is not among the development dependencies`);
  return startEmbeddedPostgres({ dataDir, settings, binariesOf });
}
