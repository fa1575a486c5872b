import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { LookupCache } from '../src/cache/lookup-cache';
import { RedisCache } from '../src/cache/redis-cache';
import { redisAddress } from '../src/config/redis-address';
import { RedisClient, type RedisLimits } from '../src/connections/redis/redis-client';
import { startEmbeddedPostgres } from '../src/database/embedded/embedded-postgres';
import { runMigrations } from '../src/database/migrator';
import { createPool } from '../src/database/postgres';
import type { DedupStore } from '../src/dedup/dedup-store';
import { PostgresDedup } from '../src/dedup/postgres-dedup.sql';
import { RedisDedup } from '../src/dedup/redis-dedup';
import { SystemClock } from '../src/event/clock';
import type { LookupDefinition } from '../src/event/definitions';
import { Lookups } from '../src/lookups/lookups';
import { definitionOf, eventOf, percentile } from './lookups';

const QUESTIONS = 5_000;
const HITS = 200_000;
const CLAIMS = 5_000;
const LIMITS: RedisLimits = { timeout: 5_000, prefix: 'bench:' };
const SILENT = pino({ level: 'silent' });

/** Of one way, in milliseconds. */
interface Times {
  readonly p50: number;
  readonly p99: number;
}

export interface RedisTimes {
  readonly asked: Times;
  readonly memory: Times;
  readonly redis: Times;
  readonly claimRedis: Times;
  readonly claimPostgres: Times;
}

/** One after the other, everything on this machine: a look-up that asks, and that the first or the second tier answers; a dedup key, claimed and done. */
export async function measureRedis(): Promise<RedisTimes> {
  const folder = mkdtempSync(join(tmpdir(), 'observers-bench-redis-'));
  const server = await startRedis(folder);
  const clients: RedisClient[] = [];
  const clientOf = async (use: 'dedup' | 'cache'): Promise<RedisClient> => {
    const address = redisAddress(server.url);
    const client = new RedisClient(use, address === null ? null : { address, sentinelPassword: null, caFile: null }, LIMITS, SILENT);
    clients.push(client);
    await client.open('redis');
    return client;
  };
  try {
    const [one, two] = [await clientOf('cache'), await clientOf('cache')];
    const lookups = await measureTiers(new RedisCache(one, new SystemClock()), new RedisCache(two, new SystemClock()));
    return { ...lookups, ...(await measureClaims(join(folder, 'postgres'), await clientOf('dedup'))) };
  } finally {
    for (const client of clients) client.close();
    server.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureTiers(one: LookupCache, two: LookupCache): Promise<Pick<RedisTimes, 'asked' | 'memory' | 'redis'>> {
  const crm = createServer((_request, response) => void response.end('{"plan":"gold","name":"Ann","points":120.5}'));
  await new Promise<void>((resolve) => crm.listen(0, '127.0.0.1', resolve));
  const definition = definitionOf(`http://127.0.0.1:${(crm.address() as AddressInfo).port}/customers/{{ data.customer }}`);
  const from: (string | null)[] = [];
  const open = (cache: LookupCache): Lookups =>
    new Lookups(cache, new SystemClock(), SILENT, { lookedUp: (_lookup, tier) => void from.push(tier) });
  const [first, second] = [open(one), open(two)];
  // What is asked for is stored in Redis, too: that is what asking costs with this driver.
  const asked = await times(QUESTIONS, (i) => first.enrich(eventOf(i), [definition]));
  expectAll(from.splice(0), null);
  const redis = await times(QUESTIONS, (i) => second.enrich(eventOf(i), [definition]));
  expectAll(from.splice(0), 'redis');
  const memory = hits(second, definition);
  expectAll(from.splice(0), 'memory');
  await Promise.all([first.close(), second.close()]);
  crm.close();
  return { asked, memory, redis };
}

function hits(lookups: Lookups, definition: LookupDefinition): Times {
  const found: number[] = [];
  for (let i = 0; i < HITS; i++) {
    const event = eventOf(i % QUESTIONS);
    const begin = performance.now();
    void lookups.enrich(event, [definition]);
    found.push(performance.now() - begin);
  }
  return { p50: percentile(found, 0.5), p99: percentile(found, 0.99) };
}

function expectAll(found: readonly (string | null)[], tier: string | null): void {
  const other = found.find((one) => one !== tier);
  if (other !== undefined) throw new Error(`an answer was to come from ${tier ?? 'asking'}, and came from ${other ?? 'asking'}`);
}

async function measureClaims(dataDir: string, client: RedisClient): Promise<Pick<RedisTimes, 'claimRedis' | 'claimPostgres'>> {
  const postgres = await startEmbeddedPostgres({ dataDir });
  const pool = createPool(postgres.url, 2);
  try {
    await runMigrations(postgres.url);
    return {
      claimRedis: await claims(new RedisDedup(client, pool)),
      claimPostgres: await claims(new PostgresDedup(pool)),
    };
  } finally {
    await pool.end();
    await postgres.stop();
  }
}

function claims(store: DedupStore): Promise<Times> {
  return times(CLAIMS, async (i) => {
    const key = Buffer.alloc(32);
    key.writeUInt32BE(i);
    const of = { observer: 'o', action: 'a', key, changeNumber: i };
    const { is } = await store.claim(of, 60_000);
    if (is !== 'granted') throw new Error(`a claim was ${is}`);
    await store.done(of, 60_000);
  });
}

async function times(count: number, work: (i: number) => unknown): Promise<Times> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const begin = performance.now();
    await work(i);
    found.push(performance.now() - begin);
  }
  return { p50: percentile(found, 0.5), p99: percentile(found, 0.99) };
}

async function startRedis(folder: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
  const { port } = socket.address() as AddressInfo;
  await new Promise((resolve) => socket.close(resolve));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error('redis-server is missing on this machine')));
    child.stdout.on('data', (chunk: Buffer) => (chunk.toString().includes('Ready to accept connections') ? resolve() : undefined));
  });
  return { url: `redis://127.0.0.1:${port}`, child };
}
