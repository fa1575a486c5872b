import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { ApiContext } from '../admin/api/api-context';
import { prepareHttp, type HttpParts } from '../admin/http/prepare';
import type { CustomActions } from '../actions/custom/custom-actions';
import { UNTRACED, type Tracing } from '../tracing/tracing';
import { AppModule } from '../app.module';
import { MemoryCache } from '../cache/memory-cache';
import { DEDUP_DRIVERS } from '../dedup/drivers';
import { BackgroundAudit, type BackgroundAuditOptions } from '../audit/background-audit';
import { warningsOf } from '../doctor/file-warnings';
import { readApiTokens } from '../config/api-tokens';
import { reachableAddress } from '../admin/http/bound-address';
import type { LoadedConfiguration, ObserversSource } from '../config/load';
import type { Settings } from '../config/settings';
import { collectorOf } from '../config/settings/telemetry';
import { recordConfigVersion } from '../config/config-version.sql';
import type { EmbeddedPostgres } from '../database/embedded/embedded-postgres';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres';
import { requireServiceRights } from '../database/grants';
import { runMigrations } from '../database/migrator';
import { createPool, describeUrl } from '../database/postgres';
import { SystemClock, type Clock } from '../event/clock';
import { ExitCode, OperatorError } from '../event/errors';
import { FileWatch } from '../reload/file-watch';
import { settleDrift, type DriftOptions } from '../change-log/capture/drift';
import type { SideJobs } from '../pipeline/side-jobs';
import { Leadership } from '../ha/leadership';
import { eventLog } from '../logging/event-log';
import { nestLogger } from '../logging/logger';
import { PipelineMetrics } from '../metrics/pipeline-metrics';
import { createRegistry } from '../metrics/registry';
import { StreamMetrics } from '../metrics/stream-metrics';
import type { PipelineSubscriber } from '../pipeline/pipeline-events';
import { Reloader, streamConfigurationOf } from '../reload/reloader';
import { VERSION } from '../config/version';

/** Its questions are short, and some of them expensive: few at once, and none for long (ms). */
const API_CONNECTIONS = 4;
const API_STATEMENT_TIMEOUT = 5_000;

export interface StartOptions extends DriftOptions {
  readonly configuration: LoadedConfiguration;
  /** Where it comes from, for a reload. */
  readonly source: ObserversSource;
  /** Those that the configuration was loaded with; closed with the service. */
  readonly custom: CustomActions;
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
  readonly stream: Leadership;
  readonly reloader: Reloader;
  stop(): Promise<void>;
}

/**
 * Starts the service, in this order: database → schema → configuration on record → capture → traces → probes → stream. What was started is
 * stopped again, in the opposite order, by `stop()` and also when a later step fails.
 *
 * @throws OperatorError for everything that a person can mend
 */
export async function startService(options: StartOptions): Promise<Service> {
  const stops: (() => Promise<unknown>)[] = [() => options.custom.close()];
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

async function start(options: StartOptions, stops: (() => Promise<unknown>)[], stop: () => Promise<void>): Promise<Service> {
  const { configuration, custom, logger, subscribers = [], clock = new SystemClock(), onFatal } = options;
  const { settings, file, definitionOf } = configuration;
  const tokens = readApiTokens(settings);

  const url = settings.databaseUrl ?? (await startEmbedded(settings.dataDir, logger, stops));
  const applied = await runMigrations(url);
  if (applied.length > 0) logger.info({ applied }, 'the database is migrated');
  const pool = createPool(url, settings.databasePool);
  stops.push(() => pool.end());
  await mayServe(pool);
  const apiPool = createPool(url, API_CONNECTIONS, { role: ' api', statementTimeout: API_STATEMENT_TIMEOUT });
  stops.push(() => apiPool.end());
  const loadedBy = `${process.env['USER'] ?? 'start'}@${VERSION}`;
  const version = await recordConfigVersion(pool, file.source.hash, file.source.text, loadedBy);
  await settleDrift(url, file.definition.captures, options);
  for (const warning of await warningsOf(url, file)) logger.warn(warning);
  const tracing = await tracingOf(settings, logger);
  stops.push(() => tracing.stop());

  const registry = createRegistry(settings.stream);
  let server: NestExpressApplication | null = null;
  const address = (): string | null => (server === null ? null : addressOf(server));
  const stream = new Leadership({
    url,
    pool,
    clock,
    logger,
    settings,
    configuration: streamConfigurationOf(file, version),
    observersOf: configuration.observersOf,
    custom,
    tracing,
    version: VERSION,
    address,
    dedup: DEDUP_DRIVERS[settings.dedupDriver](pool, clock),
    cache: new MemoryCache(),
    sideJobs: sideJobsOf({ pool, logger, settings, definitionOf }),
    subscribers: [eventLog(logger, clock), new PipelineMetrics(registry, clock), ...subscribers],
  });
  const streamMetrics = new StreamMetrics(registry, pool, stream, settings, logger);
  const reloader = new Reloader({ ...options, url, pool, stream, version, loadedBy });
  const { stream: name, retention, maxEventSize } = settings;
  const api = new ApiContext({ pool: apiPool, configuration, configVersion: version, stream: name, retention, maxEventSize, logger });
  const module = AppModule.of({ pool, clock, stream, registry, streamMetrics, api, reloader, apiRate: settings.apiRate });
  server = await listen(module, settings.host, settings.port, { logger, clock, tokens });
  stops.push(() => server.close());
  await stream.start(onFatal);
  stops.push(() => stream.stop());
  stops.push(() => reloader.settle());
  if (settings.watch) stops.push(startWatch(new FileWatch(reloader, options.source.read, logger)));
  logger.info(
    { address: address(), database: describeUrl(url), observers: file.definition.observers.length, config_version: version },
    'started',
  );
  return { url, address: address() ?? '', stream, reloader, stop };
}

/** @returns what ends it */
function startWatch(watch: FileWatch): () => Promise<unknown> {
  watch.start();
  return () => watch.stop();
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

/** What a leader does besides delivering. */
function sideJobsOf(options: BackgroundAuditOptions): SideJobs {
  return options.settings.auditInterval === 0 ? [] : [(lease) => new BackgroundAudit(lease, options)];
}

/** Loading the SDK takes 0.1 s and 15 MB (measured): only where traces are asked for. */
async function tracingOf(settings: Settings, logger: Logger): Promise<Tracing> {
  const collector = collectorOf(settings);
  if (collector === null) return UNTRACED;
  const { startTracing } = await import('../tracing/start-tracing');
  return startTracing(collector, settings, logger);
}

async function startEmbedded(dataDir: string, logger: Logger, stops: (() => Promise<unknown>)[]): Promise<string> {
  const embedded: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  stops.push(() => embedded.stop());
  logger.info(`no DATABASE_URL: an embedded PostgreSQL for trying out runs in ${dataDir}`);
  return embedded.url;
}

async function listen(
  module: ReturnType<typeof AppModule.of>,
  host: string,
  port: number,
  http: HttpParts,
): Promise<NestExpressApplication> {
  // Cut at the stop: a connection that asks nothing would keep the process for ever.
  const app = await NestFactory.create<NestExpressApplication>(module, {
    logger: nestLogger(http.logger),
    abortOnError: false,
    forceCloseConnections: true,
    bodyParser: false,
  });
  try {
    prepareHttp(app, http);
    await app.listen(port, host);
    return app;
  } catch (error) {
    await app.close();
    const { code } = error as { code?: string };
    if (code === 'EADDRINUSE')
      throw new OperatorError(
        `port ${port} on ${host} is in use`,
        'Set OBSERVERS_PORT to a free port (0 takes any), or stop what listens there.',
        ExitCode.configuration,
        { cause: error },
      );
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new OperatorError(
        `cannot listen on ${host}:${port}: ${code}`,
        'Correct OBSERVERS_HOST and OBSERVERS_PORT.',
        ExitCode.configuration,
        { cause: error },
      );
    throw error;
  }
}

function addressOf(app: NestExpressApplication): string {
  const bound = app.getHttpServer().address() as AddressInfo | null;
  return bound === null ? '' : reachableAddress(bound);
}
