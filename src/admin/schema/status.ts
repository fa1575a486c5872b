import { z } from 'zod';
import type { CaptureDrift } from '../../status/capture-drift';
import type { RedisState } from '../../event/redis-state';
import type { EndpointState } from '../../resilience/endpoint-state';
import type { StreamStatus } from '../../status/status.service';
import { count, named, pageOf, time } from './registry';

// Each schema is of the type that the command's JSON has: the compiler compares them.

const BREAKER = z.strictObject({
  state: z.enum(['open', 'half-open']),
  probeIn: z.number().describe('milliseconds until one delivery tries'),
  requests: count.describe('with a verdict, in its window'),
  failures: count,
});

export const ENDPOINT: z.ZodType<EndpointState> = named(
  'EndpointState',
  z.strictObject({
    name: z.string(),
    waiting: count.describe('deliveries that wait in memory for a place'),
    breaker: BREAKER.nullable().describe('null when it is closed'),
  }),
  'an endpoint that is not simply working, as of the last heartbeat of the instance that leads',
);

const CAPTURE_DRIFT: z.ZodType<CaptureDrift> = named(
  'CaptureDrift',
  z.strictObject({
    table: z.string().describe('quoted and schema-qualified'),
    entity: z.string().nullable(),
    state: z.enum(['missing', 'drifted', 'unwanted', 'impossible']),
    reasons: z.array(z.string()).describe('the first of them; capture check gives all'),
    since: time.describe('when it was seen first'),
  }),
  'a table that is not captured as the running configuration asks',
);

const REDIS: z.ZodType<RedisState> = named(
  'RedisState',
  z.strictObject({
    use: z.enum(['dedup', 'cache']),
    up: z.boolean().describe('its last call was answered'),
    since: time,
    unanswered: count.describe('calls without an answer since its start; what needed them went on without'),
    reason: z.string().nullable(),
  }),
  'what an instance uses Redis for beside the actions, as of its last heartbeat',
);

const LISTENER = {
  id: z.string(),
  version: z.string(),
  address: z.string().nullable().describe('where its API and its probes answer, as it is bound'),
  alive: z.boolean().describe('its last heartbeat is no older than 15 s'),
  inFlight: count,
  endpoints: z.array(ENDPOINT),
  redis: z.array(REDIS),
};

const LEADER = z.strictObject({
  holder: z.string(),
  epoch: z.int(),
  since: time,
  alive: z.boolean().describe('its lease has not run out'),
});

const AUDIT = z.strictObject({
  unaccounted: count.describe('deliveries of which nothing is on record'),
  ageSeconds: z.number().nullable().describe('since everything that the stream had passed was accounted for'),
});

const since = z.strictObject({ endpoint: z.string(), since: time });

export const STATUS: z.ZodType<StreamStatus> = named(
  'Status',
  z.strictObject({
    stream: z.string(),
    leader: LEADER.nullable().describe('null: no service has led'),
    listeners: z.array(z.strictObject(LISTENER)),
    lag: z.strictObject({ events: count.describe('100000 stands for all that is more'), seconds: z.number() }),
    checkpointAgeSeconds: z.number().nullable(),
    scheduled: count.describe('wait for their time: delay, deliver_at, debounce'),
    nextScheduledAt: time.nullable().describe('when the first of them goes'),
    queued: count,
    running: count,
    retrying: count,
    parked: count.describe('heads of strict lanes that have failed for good'),
    waiting: count.describe('behind heads of strict lanes'),
    paused: count.describe('put aside while their observers are paused'),
    pausedObservers: z.array(z.strictObject({ observer: z.string(), since: time, by: z.string() })),
    dead: count,
    quarantined: count,
    gone: z.array(since).describe('endpoints that have answered 410'),
    captureDrift: z
      .array(CAPTURE_DRIFT)
      .nullable()
      .describe('tables that are not captured as the leader asks; null when nobody leads, and it cannot be known'),
    audit: AUDIT.nullable().describe('what the audit in the background says; null when none has ever run'),
    backfills: z
      .array(
        z.strictObject({
          id: z.string(),
          table: z.string(),
          observers: z.array(z.string()),
          done: count.describe('rows that are sent'),
          expected: count.nullable().describe('rows that there were when it began'),
          running: z.boolean().describe('false: it was stopped; the same command goes on with it'),
        }),
      )
      .describe('those that are not finished'),
    search: z
      .strictObject({
        index: z.string(),
        lagSeconds: z.number().describe('since everything that was committed was told'),
        parked: count.describe('documents that were refused for good'),
        building: z.boolean().describe('another generation is built beside the one that is searched'),
        problem: z.string().nullable().describe('why it does not go on, and what to do'),
      })
      .nullable()
      .describe('the search index in Elasticsearch; null when the leader keeps none'),
    oldestTransaction: z
      .strictObject({ pid: z.int(), user: z.string(), seconds: z.number() })
      .nullable()
      .describe('the transaction that has been open longest, when it is older than ten seconds'),
  }),
);

export const LISTENERS = named(
  'Listeners',
  z.strictObject({
    leader: LEADER.nullable(),
    listeners: z.array(z.strictObject({ ...LISTENER, leads: z.boolean(), self: z.boolean().describe('the instance that answers') })),
  }),
);

export const BREAKERS = named(
  'CircuitBreakers',
  z.strictObject({
    source: z
      .enum(['this instance leads', 'the instance that leads', 'last heartbeat of the leader', 'nobody leads'])
      .describe('only the instance that leads knows all of them; where it cannot be asked its heartbeat tells those that are not closed'),
    breakers: z.array(
      z.strictObject({
        name: z.string(),
        state: z.enum(['closed', 'open', 'half-open']),
        requests: count.describe('with a verdict, in its window'),
        failures: count,
        probeIn: z.number().nullable().describe('of an open one: milliseconds until one delivery tries'),
      }),
    ),
  }),
);

export const RESET = named(
  'BreakerReset',
  z.strictObject({ name: z.string(), state: z.literal('closed'), changed: z.boolean().describe('false: it was closed already') }),
);

const SET = z.record(z.string(), z.unknown());

export const OPERATION_PAGE = named(
  'OperationPage',
  pageOf(
    named(
      'RecordedOperation',
      z.strictObject({
        number: z.int(),
        at: time,
        who: z.string().describe('a user of a machine, or a token of the API by the first digits of its hash'),
        via: z.string().describe('the program that the change came by'),
        what: z.string().describe('such as `observer: paused`'),
        set: SET.describe('what it was done to: names, and how many'),
        before: SET.nullable(),
        after: SET.nullable(),
      }),
      'a change by a person, put on record in the transaction of the change',
    ),
  ),
);
