import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { Counter, Gauge, Registry } from 'prom-client';
import { ServiceConfiguration } from '../config/service-configuration';
import type { Settings } from '../config/settings';
import { readStatus, unaccountedOf, type StreamStatus } from '../status/status.sql';
import { messageOf } from '../event/errors';
import { PENDING_STATES } from '../event/pending-state';
import { within } from '../event/timing';
import { ServiceLogger } from '../event/service-logger';
import { Streams } from '../ha/streams.service';
import { countOpen, type OpenItems } from '../status/open-items.sql';
import { BoundedNames } from './bounded-names';
import { OpenItemsMetrics } from './open-items-metrics';
import { PipelineMetrics } from './pipeline-metrics';

/** Endpoints, and captured tables, with series of their own. */
const MOST_NAMES = 200;
/** A scrape that waits longer is given up by Prometheus (10 s). */
const TIMEOUT = 3_000;
const STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

/** What the stream looks like, asked of PostgreSQL once a scrape. When it does not answer these series are missing, and nothing is made up. */
@Injectable()
export class StreamMetrics {
  private readonly endpoints = new BoundedNames(MOST_NAMES);
  private readonly tables = new BoundedNames(MOST_NAMES);
  private readonly gauges: Gauge[] = [];
  private readonly ofStatus: [Gauge, (status: StreamStatus) => number | null][] = [];
  private updating: Promise<void> | null = null;
  private readonly health;
  private readonly inFlight;
  private readonly queue;
  private readonly unrecorded;
  private readonly circuits;
  private readonly captureDrift;
  private readonly open;
  private readonly settings: Pick<Settings, 'stream' | 'auditInterval'>;

  constructor(
    registry: Registry,
    private readonly pool: Pool,
    private readonly streams: Streams,
    { settings }: ServiceConfiguration,
    private readonly logger: ServiceLogger,
    private readonly counted: PipelineMetrics,
  ) {
    this.settings = settings;
    const gauge = <T extends string>(metric: string, help: string, labelNames: T[] = []): Gauge<T> => {
      const made = new Gauge({ name: metric, help, labelNames, registers: [registry] });
      this.gauges.push(made);
      return made;
    };
    this.health = gauge('observer_listener_health', '1 when this instance leads its stream or stands by, and makes progress.');
    this.inFlight = gauge('observer_in_flight', 'Events of this instance that are read and not finished.');
    this.unrecorded = gauge(
      'observer_unrecorded_seconds',
      'Since when outcomes wait to be put on record: a few milliseconds where all is well.',
    );
    this.queue = gauge('observer_job_queue_depth', 'Deliveries that stand in PostgreSQL, by their state.', ['state']);
    this.circuits = gauge('observer_circuit_state', 'Circuit breakers of the leading instance: 0 closed, 1 half-open, 2 open.', [
      'endpoint',
    ]);
    this.captureDrift = gauge('observer_capture_drift', '1 for each table that is not captured as the leading instance is configured.', [
      'table',
    ]);
    this.open = new OpenItemsMetrics(registry, new BoundedNames(MOST_NAMES));
    new Counter({
      name: 'observer_failovers_total',
      help: 'Times that this instance began to lead its stream.',
      registers: [registry],
      collect() {
        this.reset();
        this.inc(streams.terms);
      },
    });
    this.addOfStatus(gauge, settings);
  }

  /** Before each scrape; scrapes at the same time share it. Never rejects. */
  update(): Promise<void> {
    this.updating ??= this.read().finally(() => (this.updating = null));
    return this.updating;
  }

  /** Gauges of what `status` reads. */
  private addOfStatus(gauge: (metric: string, help: string) => Gauge, settings: Pick<Settings, 'auditInterval'>): void {
    const ofStatus = (metric: string, help: string, value: (status: StreamStatus) => number | null): void =>
      void this.ofStatus.push([gauge(metric, help), value]);
    ofStatus('observer_lag_events', 'Changes that the stream has not passed (100,000 and more are 100,000).', ({ lag }) => lag.events);
    ofStatus('observer_lag_seconds', 'Age of the oldest change that the stream has not passed.', ({ lag }) => lag.seconds);
    ofStatus(
      'observer_checkpoint_age_seconds',
      'Since the checkpoint moved. An idle stream does not move it.',
      (status) => status.checkpointAgeSeconds,
    );
    ofStatus('observer_retrying', 'Deliveries that wait for their next try.', ({ retrying }) => retrying);
    ofStatus('observer_parked', 'Strict lanes whose head has failed for good.', ({ parked }) => parked);
    ofStatus('observer_lease_epoch', 'The term of the stream; it grows with every leader.', ({ leader }) => leader?.epoch ?? null);
    ofStatus('observer_unaccounted_events', 'Deliveries that must be on record, and are not. 0 when all is well.', ({ audit }) => audit === null || settings.auditInterval === 0 ? null : unaccountedOf(audit, settings.auditInterval)); // prettier-ignore
    ofStatus(
      'observer_audit_age_seconds',
      'Since everything that the stream had passed was accounted for: how old the word of observer_unaccounted_events is.',
      ({ audit }) => (audit === null || settings.auditInterval === 0 ? null : audit.ageSeconds),
    );
    ofStatus(
      'observer_search_lag_seconds',
      'Since everything that was committed was told to the search index. Missing where there is none.',
      ({ search }) => search?.lagSeconds ?? null,
    );
    ofStatus('observer_search_parked', 'Documents that the search index has refused for good.', ({ search }) => search?.parked ?? null);
    ofStatus(
      'observer_horizon_age_seconds',
      'Age of the longest open transaction, when it is older than ten seconds.',
      ({ oldestTransaction }) => oldestTransaction?.seconds ?? 0,
    );
  }

  private async read(): Promise<void> {
    this.counted.expect(this.streams.observers);
    const read = await this.stored();
    for (const gauge of this.gauges) gauge.reset();
    this.health.set(this.streams.healthy ? 1 : 0);
    this.inFlight.set(this.streams.inFlight);
    this.unrecorded.set(this.streams.ledgerSilence / 1_000);
    for (const { name, state } of this.streams.breakers()) this.circuits.set({ endpoint: this.endpoints.of(name) }, STATES[state]);
    // A gauge that was reset and not set again is 0, which would be a lie.
    this.open.show(read?.open ?? null);
    if (read === null) return this.ofStatus.forEach(([gauge]) => gauge.remove());
    const { status } = read;
    for (const [gauge, value] of this.ofStatus) {
      const now = value(status);
      if (now === null) gauge.remove();
      else gauge.set(now);
    }
    for (const { table } of status.captureDrift ?? []) this.captureDrift.set({ table: this.tables.of(table) }, 1);
    for (const state of PENDING_STATES) this.queue.set({ state }, status[state]);
  }

  private async stored(): Promise<{ status: StreamStatus; open: readonly OpenItems[] } | null> {
    const { stream } = this.settings;
    const read = async (): Promise<{ status: StreamStatus; open: readonly OpenItems[] }> => ({
      status: await readStatus(this.pool, stream),
      open: await countOpen(this.pool, stream),
    });
    try {
      return await within(read(), TIMEOUT, () => null);
    } catch (error) {
      this.logger.warn({ err: messageOf(error) }, 'metrics without the state of the stream: the database does not answer');
      return null;
    }
  }
}
