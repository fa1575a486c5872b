import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { CustomActions } from '../actions/custom/custom-actions';
import { TailStreams } from '../admin/tail-streams';
import { TokenWatch } from '../admin/http/token-watch';
import { recordConfigVersion } from '../config/config-version.sql';
import type { LoadedConfiguration, ObserversSource } from '../config/load';
import { ServiceConfiguration } from '../config/service-configuration';
import type { Settings } from '../config/settings';
import { collectorOf } from '../config/settings/telemetry';
import { VERSION } from '../config/version';
import type { Pools } from '../database/database.module';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../database/embedded/embedded-postgres';
import { requireServiceRights } from '../database/grants';
import { runMigrations } from '../database/migrator';
import { createPool, describeUrl } from '../database/postgres';
import { settleFile } from '../doctor/file-warnings';
import { SystemClock, type Clock } from '../event/clock';
import type { DriftChoice } from '../event/drift-choice';
import { Timers } from '../event/timers';
import type { Streams } from '../ha/streams.service';
import { eventLog } from '../logging/event-log';
import { PipelineEvents, type PipelineSubscriber } from '../pipeline/pipeline-events';
import type { Reloader } from '../reload/reloader';
import { UNTRACED, type Tracing } from '../tracing/tracing';
import { LifecycleService } from './lifecycle.service';
import { addressOf, listen } from './listen';
import { ServiceModule } from './service.module';

/** Questions of people are short, and some of them expensive: few at once, and none for long (ms). */
const API_CONNECTIONS = 4;
const API_STATEMENT_TIMEOUT = 5_000;

export interface StartOptions extends DriftChoice {
  readonly configuration: LoadedConfiguration;
  /** Where it comes from, for a reload. */
  readonly source: ObserversSource;
  /** Those that the configuration was loaded with; closed with the service. */
  readonly custom: CustomActions;
  readonly logger: Logger;
  /** Told of what happens, besides the log and the metrics. */
  readonly subscribers?: readonly PipelineSubscriber[];
  readonly clock?: Clock;
  /** Called when the service cannot go on without a person. */
  readonly onFatal: (error: unknown) => void;
}

/** The running service. */
export interface Service {
  /** URL of the database it works on. */
  readonly url: string;
  /** Where its probes answer. */
  readonly address: string;
  /** Holds the token that changes by the API need; null where the service was given tokens. */
  readonly tokenFile: string | null;
  readonly streams: Streams;
  readonly reloader: Reloader;
  stop(): Promise<void>;
}

type Stops = (() => Promise<unknown>)[];

/**
 * Starts the service, in this order: database → schema → configuration on record → capture → traces → probes → streams. What was started is
 * stopped again, in the opposite order, by `stop()` and also when a later step fails.
 *
 * @throws OperatorError for everything that a person can mend
 */
export async function startService(options: StartOptions): Promise<Service> {
  const stops: Stops = [() => options.custom.close()];
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next !== undefined; next = stops.pop()) await next();
  };
  try {
    return await start(options, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: StartOptions, stops: Stops, stop: () => Promise<void>): Promise<Service> {
  const {
    configuration: loaded,
    source,
    custom,
    logger,
    applyCapture,
    strict,
    subscribers = [],
    clock = new SystemClock(),
    onFatal,
  } = options;
  const { settings, file } = loaded;
  const tokenWatch = new TokenWatch(settings, logger, clock);
  const { tokens } = tokenWatch;
  const drift = { applyCapture, strict };

  const database = await openDatabase(settings, logger, stops);
  const { url, pool } = database;
  const loadedBy = `${process.env['USER'] ?? 'start'}@${VERSION}`;
  const version = await recordConfigVersion(pool, file.source.hash, file.source.text, loadedBy);
  for (const warning of await settleFile(url, file, { ...drift, logger })) logger.warn(warning);
  const tracing = await tracingOf(settings, logger);
  stops.push(() => tracing.stop());

  const configuration = new ServiceConfiguration(source, loaded, version, loadedBy, drift);
  const module = ServiceModule.of({ configuration, database, custom, tracing, clock, logger });
  const server = await listen(module, settings.host, settings.port, { logger, clock, tokens, rate: settings.apiRate });
  stops.push(() => server.close());
  tokenWatch.start(server.get(Timers, { strict: false }));
  stops.push(() => tokenWatch.stop());
  server.get(PipelineEvents, { strict: false }).subscribe(eventLog(logger, clock), ...subscribers);
  const address = addressOf(server);
  const lifecycle = server.get(LifecycleService);
  // What happens at the stop is still told.
  stops.push(() => server.get(TailStreams, { strict: false }).end());
  stops.push(() => lifecycle.stop());
  await lifecycle.start(address, onFatal);
  const observers = file.definition.observers.length;
  const { localFile: tokenFile } = tokens;
  logger.info({ address, database: describeUrl(url), observers, config_version: version, api_token_file: tokenFile }, 'started');
  return { url, address, tokenFile, streams: lifecycle.streams, reloader: lifecycle.reloader, stop };
}

/** The service's database with its schema, and the pools for it. */
async function openDatabase(settings: Settings, logger: Logger, stops: Stops): Promise<Pools> {
  const url = settings.databaseUrl ?? (await startEmbedded(settings.dataDir, logger, stops));
  const applied = await runMigrations(url);
  if (applied.length > 0) logger.info({ applied }, 'the database is migrated');
  const pool = createPool(url, settings.databasePool);
  stops.push(() => pool.end());
  await mayServe(pool);
  const apiPool = createPool(url, API_CONNECTIONS, { role: ' api', statementTimeout: API_STATEMENT_TIMEOUT });
  stops.push(() => apiPool.end());
  return { url, pool, apiPool };
}

/** Said at once, and not by whatever fails first. */
async function mayServe(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await requireServiceRights(client);
  } finally {
    client.release();
  }
}

/** Loading the SDK takes 0.1 s and 15 MB (measured): only where traces are asked for. */
async function tracingOf(settings: Settings, logger: Logger): Promise<Tracing> {
  const collector = collectorOf(settings);
  if (collector === null) return UNTRACED;
  const { startTracing } = await import('../tracing/start-tracing');
  return startTracing(collector, settings, logger);
}

async function startEmbedded(dataDir: string, logger: Logger, stops: Stops): Promise<string> {
  const embedded: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  stops.push(() => embedded.stop());
  // Somebody who forgot it would look for the changes of another database.
  logger.warn(
    `DATABASE_URL is not set: the service works on an embedded PostgreSQL for trying out, in ${dataDir}, and on no database of yours`,
  );
  return embedded.url;
}
