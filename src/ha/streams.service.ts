import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { ServiceConfiguration } from '../config/service-configuration';
import { RedisClients } from '../connections/redis/redis-clients';
import { Clock } from '../event/clock';
import type { ObserverDefinition } from '../event/definitions';
import { ServiceLogger } from '../event/service-logger';
import { Timers } from '../event/timers';
import type { StreamConfiguration } from '../pipeline/configuration';
import type { BreakerState } from '../resilience/endpoint-state';
import { CaptureWatch } from './capture-watch';
import { Heartbeat, InstanceAddress } from './heartbeat';
import { Leadership, newHolder } from './leadership';
import { Leases } from './lease';
import { Doors, Terms } from './term';

/** What a leadership is made of that it does not make itself. */
@Injectable()
export class LeadershipTools {
  constructor(
    readonly terms: Terms,
    readonly leases: Leases,
    readonly doors: Doors,
    readonly timers: Timers,
    readonly address: InstanceAddress,
    readonly redis: RedisClients,
  ) {}
}

/** Every stream that this instance leads or stands by for. Today that is one, of the name in OBSERVERS_STREAM. */
@Injectable()
export class Streams {
  /** The one that OBSERVERS_STREAM names. */
  readonly main: Leadership;

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly logger: ServiceLogger,
    private readonly tools: LeadershipTools,
    configuration: ServiceConfiguration,
  ) {
    const { loaded, version, settings } = configuration;
    const { observers, alerts, captures } = loaded.file.definition;
    this.main = this.make(settings, { observers, alerts, captures, version });
  }

  get all(): readonly Leadership[] {
    return [this.main];
  }

  /** Each leads or is stood by for, and makes progress. */
  get healthy(): boolean {
    return this.all.every((stream) => stream.healthy);
  }

  /** Events that are read and not finished. */
  get inFlight(): number {
    return this.all.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Milliseconds for which the outcomes of some stream have waited to be put on record. */
  get ledgerSilence(): number {
    return Math.max(...this.all.map((stream) => stream.ledgerSilence));
  }

  /** How often this instance has begun to lead. */
  get terms(): number {
    return this.all.reduce((sum, { terms }) => sum + terms, 0);
  }

  /** Of the configuration; the same array until a reload. */
  get observers(): readonly ObserverDefinition[] {
    return this.main.observers;
  }

  /** Of the streams that this instance leads. */
  breakers(): BreakerState[] {
    return this.all.flatMap((stream) => [...stream.breakers()]);
  }

  /** @param onFatal called when leading is impossible until a person acts */
  async start(onFatal: (error: unknown) => void): Promise<void> {
    for (const stream of this.all) await stream.start(onFatal);
  }

  /** @returns `now` where every stream goes on by it from its next page on */
  async reconfigure(next: StreamConfiguration): Promise<'now' | 'when it leads'> {
    let effective: 'now' | 'when it leads' = 'now';
    for (const stream of this.all) if ((await stream.reconfigure(next)) !== 'now') effective = 'when it leads';
    return effective;
  }

  /** See Leadership.stop. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map((stream) => stream.stop()));
  }

  private make(settings: ServiceConfiguration['settings'], configuration: StreamConfiguration): Leadership {
    const { pool, clock, logger } = this;
    const { terms, leases, doors, timers, address, redis } = this.tools;
    const { stream } = settings;
    const heartbeat = new Heartbeat(pool, stream, newHolder(), address, timers, settings.leaseTtl / 3);
    // Whoever looks at the status need not wait for the next beat.
    const onChange = (): void => void leadership.beat().catch(() => undefined);
    const captureWatch = new CaptureWatch({ pool, clock, logger, captures: configuration.captures, onChange });
    const parts = { terms, leases, doors, heartbeat, captureWatch, timers, redis, clock, logger };
    const leadership = new Leadership(stream, settings, configuration, parts);
    return leadership;
  }
}
