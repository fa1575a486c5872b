import { z } from 'zod';
import type { MetricsSummary } from '../../../../src/cli/metrics/summary';
import type { Detailed } from '../../../../src/cli/status/detail';
import type { InstanceState } from '../../../../src/cli/status/listener';
import type { Finding } from '../../../../src/doctor/finding';
import type { RedisState } from '../../../../src/event/redis-state';
import type { EndpointState } from '../../../../src/resilience/endpoint-state';
import type { CaptureDrift } from '../../../../src/status/capture-drift';
import type { ListenerStatus } from '../../../../src/status/status-detail.sql';
import type { StreamStatus } from '../../../../src/status/status.sql';
import { count, maybe, text, time } from './values';

// What the commands that look at a running service give.

const breaker = z.strictObject({ state: z.enum(['open', 'half-open']), probeIn: z.number(), requests: count, failures: count });
const endpoint: z.ZodType<EndpointState> = z.strictObject({ name: text, waiting: count, breaker: breaker.nullable() });
const redis: z.ZodType<RedisState> = z.strictObject({
  use: z.enum(['dedup', 'cache']),
  up: z.boolean(),
  since: time,
  unanswered: count,
  reason: maybe,
});
export const auditWord = z.strictObject({ unaccounted: count, ageSeconds: z.number().nullable() }).nullable();
const listener = z.strictObject({
  id: text,
  version: text,
  address: maybe,
  alive: z.boolean(),
  inFlight: count,
  endpoints: z.array(endpoint),
  redis: z.array(redis),
});
const captureDrift: z.ZodType<CaptureDrift> = z.strictObject({
  table: text,
  entity: maybe,
  state: z.enum(['missing', 'drifted', 'unwanted', 'impossible']),
  reasons: z.array(text),
  since: time,
});
export const statusFields = {
  stream: text,
  leader: z.strictObject({ holder: text, epoch: count, since: time, alive: z.boolean() }).nullable(),
  listeners: z.array(listener),
  lag: z.strictObject({ events: count, seconds: z.number() }),
  checkpointAgeSeconds: z.number().nullable(),
  scheduled: count,
  nextScheduledAt: time.nullable(),
  queued: count,
  running: count,
  retrying: count,
  parked: count,
  waiting: count,
  paused: count,
  pausedObservers: z.array(z.strictObject({ observer: text, since: time, by: text })),
  dead: count,
  quarantined: count,
  gone: z.array(z.strictObject({ endpoint: text, since: time })),
  captureDrift: z.array(captureDrift).nullable(),
  audit: auditWord,
  backfills: z.array(
    z.strictObject({ id: text, table: text, observers: z.array(text), done: count, expected: count.nullable(), running: z.boolean() }),
  ),
  search: z.strictObject({ index: text, lagSeconds: z.number(), parked: count, building: z.boolean(), problem: maybe }).nullable(),
  oldestTransaction: z.strictObject({ pid: count, user: text, seconds: z.number() }).nullable(),
};
export const status: z.ZodType<StreamStatus> = z.strictObject(statusFields);
export const finding: z.ZodType<Finding> = z.strictObject({
  check: text,
  state: z.enum(['ok', 'warning', 'problem', 'unknown']),
  message: text,
  repair: maybe,
});
const counts = { scheduled: count, queued: count, running: count, retrying: count, waiting: count, parked: count, paused: count };
export const instance: z.ZodType<InstanceState> = z.strictObject({
  source: z.enum(['live', 'heartbeat']),
  age: z.number(),
  inFlight: count,
  breakers: z.record(z.string(), z.enum(['half-open', 'open'])).nullable(),
});
export const listenerFields = {
  id: text,
  stream: text,
  host: text,
  pid: count,
  version: text,
  address: maybe,
  startedAt: time,
  heartbeatAgeSeconds: z.number(),
  alive: z.boolean(),
  leads: z.boolean(),
  epoch: count.nullable(),
  inFlight: count,
  endpoints: z.array(endpoint),
  redis: z.array(redis),
  timers: z.array(text),
};
const listenerStatus: z.ZodType<ListenerStatus> = z.strictObject(listenerFields);
export const detail: z.ZodType<Detailed> = z.strictObject({
  observers: z.array(z.strictObject({ observer: text, ...counts, dead: count })),
  endpoints: z.array(z.strictObject({ endpoint: text, ...counts, dead: count })),
  listeners: z.array(listenerStatus),
  dead: z.array(z.strictObject({ kind: z.enum(['delivery', 'quarantine']), error: text, count, oldest: time })),
  transactions: z.array(
    z.strictObject({
      pid: count.nullable(),
      user: text,
      application: text,
      state: text,
      transactionSeconds: z.number(),
      querySeconds: z.number().nullable(),
    }),
  ),
  leading: instance.nullable(),
});
const latency = z.strictObject({
  count,
  p50: z.number().nullable(),
  p99: z.number().nullable(),
  within: z.number().nullable(),
  lastBound: z.number(),
});
const byName = z.record(z.string(), z.number());
export const metrics: z.ZodType<MetricsSummary> = z.strictObject({
  address: text,
  events: z.strictObject({ processed: count, perSecond: z.number() }),
  tries: byName,
  triesPerSecond: z.number(),
  failureRate: z.number().nullable(),
  failures: byName,
  actions: z.record(z.string(), latency),
  endToEnd: latency.nullable(),
  cacheHitRate: byName,
  lag: z.strictObject({ events: count.nullable(), seconds: z.number().nullable() }),
  openBreakers: z.array(text),
});
export const series = z.array(z.strictObject({ name: text, labels: z.record(z.string(), z.string()), value: z.number() }));
