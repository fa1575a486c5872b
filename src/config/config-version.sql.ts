import type { Client, Pool } from 'pg';
import { versionText, type VersionText } from '../config/rules';

/**
 * Records a loaded configuration, once per content; attempts name it.
 *
 * @param hash of the text, and of the rules by which it is read (`hashOfVersion`)
 * @param source the file's text, secrets left as `${…}`
 * @returns its version number
 */
export async function recordConfigVersion(pool: Pool, hash: string, source: string, loadedBy: string): Promise<number> {
  const stored = await storedAs(pool, source);
  const { rows } = await pool.query<{ id: number }>(
    `with added as (
       insert into observers.config_version (hash, source, loaded_by) values ($1, $2, $3) on conflict (hash) do nothing returning id
     )
     select id from added union all select id from observers.config_version where hash = $1 limit 1`,
    [hash, stored, loadedBy],
  );
  // Two instances that start together: the other one's row is visible to the next statement only.
  return rows[0]?.id ?? recordConfigVersion(pool, hash, source, loadedBy);
}

/** @returns a version as it was loaded, or null when there is no such version */
export async function readConfigVersion(pool: Client | Pool, id: number): Promise<VersionText | null> {
  const { rows } = await pool.query<{ source: string; hash: string }>('select source, hash from observers.config_version where id = $1', [
    id,
  ]);
  return rows[0] === undefined ? null : versionText(sourceOf(rows[0].source), rows[0].hash);
}

/** No observers file begins so: it is a mapping. */
const BYTES = '!!binary ';

/** A file that has characters which the database's encoding lacks is kept as bytes: it is read again, word for word. */
async function storedAs(pool: Pool, source: string): Promise<string> {
  const { rows } = await pool.query<{ kept: string }>('select $1::text as kept', [source]);
  return rows[0]?.kept === source ? source : BYTES + Buffer.from(source).toString('base64');
}

/** The text of a version from what is stored of it. */
export function sourceOf(stored: string): string {
  return stored.startsWith(BYTES) ? Buffer.from(stored.slice(BYTES.length), 'base64').toString() : stored;
}
