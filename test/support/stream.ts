import { NestFactory } from '@nestjs/core';
import pino, { type Logger } from 'pino';
import type { Pool } from 'pg';
import { NO_CUSTOM_ACTIONS, type CustomActions } from '../../src/actions/custom/custom-actions';
import { ScheduleModule } from '@nestjs/schedule';
import { ActionsModule } from '../../src/actions/actions.module';
import { ConfigModule } from '../../src/config/config.module';
import { DatabaseModule } from '../../src/database/database.module';
import { HaModule } from '../../src/ha/ha.module';
import { LoggingModule } from '../../src/logging/logging.module';
import { TracingModule } from '../../src/tracing/tracing.module';
import { readDefinition, type LoadedConfiguration } from '../../src/config/load';
import { versionText } from '../../src/config/rules';
import { ServiceConfiguration } from '../../src/config/service-configuration';
import { UNTRACED, type Tracing } from '../../src/tracing/tracing';
import { SETTINGS, type Settings } from '../../src/config/settings';
import type { Setting } from '../../src/config/settings/kinds';
import { RedisClients } from '../../src/connections/redis/redis-clients';
import { createPool } from '../../src/database/postgres';
import { SystemClock } from '../../src/event/clock';
import type { CaptureDefinition, EndpointDefinition, ObserverDefinition, RetryPolicy } from '../../src/event/definitions';
import type { Leadership } from '../../src/ha/leadership';
import { Streams } from '../../src/ha/streams.service';
import { PipelineEvents, type PipelineSubscriber } from '../../src/pipeline/pipeline-events';

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
    auth: null,
    // On a busy machine a try may take long: one that is given up comes again, as it should, and a test would see it twice.
    timeout: 20_000,
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

/** A stream as the service runs it, in this process: the part of the service's container that leads streams. */
export async function startStream(url: string, observers: readonly ObserverDefinition[], options: StreamOptions = {}): Promise<TestStream> {
  const pool = createPool(url, 5);
  const logger = options.logger ?? pino({ level: process.env['TEST_LOG'] ?? 'silent' });
  const module = {
    module: StreamModule,
    imports: [
      ConfigModule.of(configurationOf(observers, options)),
      DatabaseModule.of({ url, pool, apiPool: pool }),
      LoggingModule.of(logger, new SystemClock()),
      ScheduleModule.forRoot(),
      TracingModule.of(options.tracing ?? UNTRACED),
      ActionsModule.of(options.custom ?? NO_CUSTOM_ACTIONS),
      HaModule,
    ],
  };
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  context.get(PipelineEvents, { strict: false }).subscribe(...(options.subscribers ?? []));
  const redis = context.get(RedisClients, { strict: false });
  await redis.open();
  const service = context.get(Streams, { strict: false }).main;
  await service.start(options.onFatal ?? ((error) => { throw error; })); // prettier-ignore
  return {
    service,
    pool,
    stop: async () => {
      await service.stop();
      await redis.close();
      await context.close();
      await pool.end();
    },
  };
}

class StreamModule {}

/** As a file with these observers would be loaded. Nothing is audited, unless the settings say so. */
export function configurationOf(
  observers: readonly ObserverDefinition[],
  options: Pick<StreamOptions, 'settings' | 'alerts' | 'captures'> = {},
): ServiceConfiguration {
  const { alerts = null, captures = [] } = options;
  // So may a renewal of the lease.
  const settings = defaultSettings({ auditInterval: 0, leaseTtl: 30_000, ...options.settings });
  const definition = { ...readDefinition({ env: {} }, settings, versionText(NOTHING, 'test')), observers, alerts, captures };
  const file = {
    path: 'observers.yaml',
    origin: 'default' as const,
    definition,
    warnings: [],
    columns: [],
    source: { text: NOTHING, hash: 'test' },
    unresolved: [],
  };
  const loaded = {
    settings,
    origins: {},
    file,
    observersOf: () => observers,
    definitionOf: () => definition,
  } as unknown as LoadedConfiguration;
  return new ServiceConfiguration({ load: () => loaded, read: () => NOTHING, unverified: false }, loaded, 1, 'test', {
    applyCapture: false,
    strict: false,
  });
}

const NOTHING = 'version: 1\nobservers: []\n';
