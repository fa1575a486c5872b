import { MemoryCache } from '../src/cache/memory-cache';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { SystemClock } from '../src/event/clock';
import { DEFAULT_BREAKER, type LookupDefinition } from '../src/event/definitions';
import type { EntityEvent } from '../src/event/entity-event';
import { JsonDocument } from '../src/event/json-document';
import { Lookups } from '../src/lookups/lookups';

const ASKED = 2_000;
const HITS = 200_000;

/** Milliseconds of one look-up that asks a server on this machine, and of one whose answer is in the cache. */
export async function measureLookups(): Promise<{ readonly asked: number; readonly hit: number; readonly hit99: number }> {
  const server = createServer((_request, response) => void response.end('{"plan":"gold","name":"Ann","points":120.5}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/customers/{{ data.customer }}`;
  const lookups = new Lookups(new MemoryCache(), new SystemClock(), pino({ level: 'silent' }), { lookedUp: () => undefined });
  const definition = definitionOf(url);
  const asked: number[] = [];
  for (let i = 0; i < ASKED; i++) asked.push(await timed(() => lookups.enrich(eventOf(i), [definition])));
  const hits: number[] = [];
  for (let i = 0; i < HITS; i++) {
    const event = eventOf(i % ASKED);
    const begin = performance.now();
    if (lookups.enrich(event, [definition]) instanceof Promise) throw new Error('an answer was not in the cache');
    hits.push(performance.now() - begin);
  }
  await lookups.close();
  server.close();
  return { asked: percentile(asked, 0.5), hit: percentile(hits, 0.5), hit99: percentile(hits, 0.99) };
}

export function definitionOf(url: string): LookupDefinition {
  return {
    name: 'customer',
    endpoint: {
      name: 'lookup customer',
      url,
      headers: {},
      signingSecrets: [],
      auth: null,
      timeout: 2_000,
      concurrency: 32,
      rateLimit: null,
      circuitBreaker: DEFAULT_BREAKER,
      allowAddresses: ['loopback'],
      tls: null,
      proxy: null,
    },
    ttl: 3_600_000,
    staleFor: 0,
  };
}

async function timed(work: () => unknown): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
}

/** Each event has its own row, parsed when the URL is rendered, as in the service. */
export function eventOf(customer: number): EntityEvent {
  const data = new JsonDocument(`{"id":${customer},"customer":${customer}}`);
  return {
    changeNumber: 1,
    id: 'e',
    kind: 'insert',
    entityType: 'Order',
    entityKey: '1',
    tenant: null,
    data,
    before: null,
    changed: null,
    timestamp: '2026-01-01T00:00:00Z',
    traceparent: null,
    tracestate: null,
    cause: null,
    lookups: null,
    backfill: null,
  };
}
