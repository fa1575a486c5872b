import type { ClientBase, Pool } from 'pg';
import { currentVersionOf } from '../checkpoint/config-period.sql';
import { versionText, type VersionText } from './rules';

/**
 * Records a loaded configuration, once per content; attempts name it. Each load is noted: what is loaded is not removed by the retention.
 *
 * @param hash of the text, and of the rules by which it is read (`hashOfVersion`)
 * @param source the file's text, secrets left as `${…}`
 * @returns its version number
 */
export async function recordConfigVersion(pool: ClientBase | Pool, hash: string, source: string, loadedBy: string): Promise<number> {
  const stored = await storedAs(pool, source);
  const { rows } = await pool.query<{ id: number }>(
    `insert into observers.config_version (hash, source, loaded_by) values ($1, $2, $3)
     on conflict (hash) do update set loaded_at = clock_timestamp() returning id`,
    [hash, stored, loadedBy],
  );
  if (rows[0] === undefined) throw new Error('the version was not returned');
  return rows[0].id;
}

/** @returns a version as it was loaded, or null when there is no such version */
export async function readConfigVersion(client: ClientBase | Pool, id: number): Promise<VersionText | null> {
  const { rows } = await client.query<{ source: string; hash: string }>('select source, hash from observers.config_version where id = $1', [
    id,
  ]);
  return rows[0] === undefined ? null : versionText(sourceOf(rows[0].source), rows[0].hash);
}

/** No observers file begins so: it is a mapping. */
const BYTES = '!!binary ';

/** A file that has characters which the database's encoding lacks is kept as bytes: it is read again, word for word. */
async function storedAs(pool: ClientBase | Pool, source: string): Promise<string> {
  const { rows } = await pool.query<{ kept: string }>('select $1::text as kept', [source]);
  return rows[0]?.kept === source ? source : BYTES + Buffer.from(source).toString('base64');
}

/** The text of a version from what is stored of it. */
export function sourceOf(stored: string): string {
  return stored.startsWith(BYTES) ? Buffer.from(stored.slice(BYTES.length), 'base64').toString() : stored;
}

/** A version of the observers file that is on record. Times are RFC 3339. */
export interface RecordedVersion {
  readonly version: number;
  /** As the file had it, references unresolved. */
  readonly source: string;
  readonly recordedAt: string;
  readonly by: string;
  /** When it last began to decide this stream's events; null when it never did. */
  readonly ledFrom: string | null;
  /** The last one that did. */
  readonly current: boolean;
}

const VERSIONS = `
  select v.id as version, v.source, to_json(v.created_at) #>> '{}' as "recordedAt", v.loaded_by as by, to_json(p.began_at) #>> '{}' as "ledFrom",
         coalesce(v.id = ${currentVersionOf('$1')}, false) as current
  from observers.config_version v
  left join lateral (select max(began_at) as began_at from observers.config_period p where p.stream = $1 and p.config_version = v.id) p on true
  order by v.id desc`;

/** Newest first. */
export async function readVersions(client: ClientBase, stream: string): Promise<RecordedVersion[]> {
  const { rows } = await client.query<RecordedVersion>(VERSIONS, [stream]);
  return rows.map((row) => ({ ...row, source: sourceOf(row.source) }));
}

/** A version by which events are decided. */
export interface CurrentVersion extends Pick<RecordedVersion, 'version' | 'source'> {
  /** Of the text, and of the rules by which it is read. */
  readonly hash: string;
}

/** The version that the stream was led with last, or that one when nobody has led it yet. */
export async function currentConfiguration(client: ClientBase | Pool, stream: string, otherwise: number): Promise<CurrentVersion> {
  const { rows } = await client.query<{ version: number; source: string; hash: string }>(
    `select id as version, source, hash from observers.config_version where id = coalesce(${currentVersionOf('$1')}, $2)`,
    [stream, otherwise],
  );
  if (rows[0] === undefined) throw new Error('the version that runs is not on record');
  return { ...rows[0], source: sourceOf(rows[0].source) };
}
