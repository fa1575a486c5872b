import pino from 'pino';
import type { Pool } from 'pg';
import type { Settings } from '../../src/config/settings';
import { SystemClock } from '../../src/event/clock';
import { IndexFeed } from '../../src/search/feed/index-feed';
import type { TestDatabase } from './database';
import type { TestElasticsearch } from './elasticsearch';
import { defaultSettings } from './stream';
import { untilRows } from './until';

export const INDEX = 'audit-test';

export function searchSettings(url: string, changed: Partial<Settings> = {}): Settings {
  return defaultSettings({ searchDriver: 'elasticsearch', elasticsearchUrl: [url], searchIndex: INDEX, searchInterval: 30, ...changed });
}

/** What the leader of the stream does for the index, without the rest of a service. */
export async function beginFeed(database: TestDatabase, pool: Pool, settings: Settings, epoch = 1): Promise<IndexFeed> {
  await database.query(
    `insert into observers.lease as l (stream, holder, epoch, expires_at) values ('main', 'test', $1, 'infinity')
     on conflict (stream) do update set epoch = greatest(l.epoch, excluded.epoch)`,
    [epoch],
  );
  const logger = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
  const mandate = { epoch, valid: true, lost: false };
  return new IndexFeed({ stream: 'main', holder: 'test', epoch, mandate, clock: new SystemClock(), logger }, pool, settings);
}

/** Until all that is committed now is told, and found. */
export async function untilTold(database: TestDatabase, server: TestElasticsearch, index = INDEX): Promise<void> {
  const [row] = await database.query<{ now: string }>('select clock_timestamp()::text as now');
  const told = `select from observers.search_feed where state = 'live' and index_name = '${index}' and complete_at >= '${row!.now}'`;
  await untilRows(database, told, 1, 30_000);
  await server.request('POST', `/${index}/_refresh`);
}

/** The numbers of the changes that searches would find, in their order. */
export async function indexed(server: TestElasticsearch, index = INDEX): Promise<number[]> {
  await server.request('POST', `/${index}/_refresh`);
  const { body } = await server.request('POST', `/${index}/_search`, { size: 10_000, _source: ['change'], sort: [{ change: 'asc' }] });
  const { hits } = (body as { hits?: { hits: { _source: { change: number } }[] } }).hits ?? { hits: [] };
  return hits.map(({ _source }) => _source.change);
}
