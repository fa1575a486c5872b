import { MemoryCache } from '../../src/cache/memory-cache';
import { DEDUP_DRIVERS } from '../../src/dedup/drivers';
import pino, { type Logger } from 'pino';
import type { Pool } from 'pg';
import { NO_CUSTOM_ACTIONS, type CustomActions } from '../../src/actions/custom/custom-actions';
import { UNTRACED, type Tracing } from '../../src/tracing/tracing';
import { SETTINGS, type Settings } from '../../src/config/settings';
import type { Setting } from '../../src/config/settings/kinds';
import { createPool } from '../../src/database/postgres';
import { SystemClock } from '../../src/event/clock';
import type { CaptureDefinition, EndpointDefinition, ObserverDefinition, RetryPolicy } from '../../src/event/definitions';
import { Leadership } from '../../src/ha/leadership';
import type { PipelineSubscriber } from '../../src/pipeline/pipeline-events';

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export const FAST_RETRY: RetryPolicy = {
  strategy: 'fixed',
  maxAttempts: 4,
  initialDelay: 20,
  maxDelay: 1_000,
  maxElapsed: null,
  schedule: [],
};

export function defaultSettings(changed: Partial<Settings> = {}): Settings {
  const defaults = Object.entries(SETTINGS).map(([name, entry]) => {
    const setting: Setting<unknown> = entry;
    const parsed = setting.default === null ? { value: null } : setting.parse(setting.default);
    return [name, 'value' in parsed ? parsed.value : null];
  });
  return { ...(Object.fromEntries(defaults) as Settings), ...changed };
}

export function endpointOf(url: string, changed: Partial<EndpointDefinition> = {}): EndpointDefinition {
  return {
    name: new URL(url).pathname,
    url,
    headers: {},
    signingSecrets: [SECRET],
    timeout: 5_000,
    concurrency: 32,
    rateLimit: null,
    circuitBreaker: null,
    allowAddresses: ['loopback'],
    tls: null,
    proxy: null,
    ...changed,
  };
}

export function observerOf(name: string, endpoint: EndpointDefinition, changed: Partial<ObserverDefinition> = {}): ObserverDefinition {
  const action = { type: 'webhook', name: 'hook', endpoint, method: 'POST', headers: {}, body: null, batch: null } as const;
  return {
    name,
    entities: '*',
    kinds: ['insert', 'update', 'delete', 'custom'],
    when: null,
    lookups: [],
    mode: 'live',
    columns: null,
    ignoreUnchanged: true,
    strictTemplates: false,
    ordering: 'none',
    dedup: null,
    onFailure: 'dlq',
    retry: FAST_RETRY,
    actions: [action],
    ...changed,
  };
}

export interface TestStream {
  readonly service: Leadership;
  readonly pool: Pool;
  stop(): Promise<void>;
}

export interface StreamOptions {
  readonly settings?: Partial<Settings>;
  readonly subscribers?: readonly PipelineSubscriber[];
  readonly logger?: Logger;
  readonly alerts?: EndpointDefinition;
  readonly captures?: readonly CaptureDefinition[];
  readonly custom?: CustomActions;
  readonly tracing?: Tracing;
  readonly onFatal?: (error: unknown) => void;
}

/** A stream as the service runs it, in this process. */
export async function startStream(url: string, observers: readonly ObserverDefinition[], options: StreamOptions = {}): Promise<TestStream> {
  const pool = createPool(url, 5);
  const clock = new SystemClock();
  const settings = defaultSettings(options.settings);
  const service = new Leadership({
    url,
    pool,
    clock,
    logger: options.logger ?? pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    settings,
    configuration: { observers, alerts: options.alerts ?? null, captures: options.captures ?? [], version: 1 },
    observersOf: () => observers,
    custom: options.custom ?? NO_CUSTOM_ACTIONS,
    tracing: options.tracing ?? UNTRACED,
    version: 'test',
    address: () => null,
    subscribers: options.subscribers ?? [],
    dedup: DEDUP_DRIVERS[settings.dedupDriver](pool, clock),
    cache: new MemoryCache(),
    sideJobs: [],
  });
  await service.start(options.onFatal ?? ((error) => { throw error; })); // prettier-ignore
  return {
    service,
    pool,
    stop: async () => {
      await service.stop();
      await pool.end();
    },
  };
}
