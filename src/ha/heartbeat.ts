import { hostname } from 'node:os';
import type { Pool } from 'pg';
import { VERSION } from '../config/version';
import type { RedisState } from '../event/redis-state';
import type { CaptureDrift } from '../status/capture-drift';
import type { EndpointState } from '../resilience/endpoint-state';
import type { Timers } from '../event/timers';
import { heartbeat, removeListener } from './listener-registry.sql';

/** What an instance says of itself while it leads a stream or stands by. */
export interface SignOfLife {
  readonly inFlight: number;
  readonly endpoints: readonly EndpointState[];
  readonly captureDrift: readonly CaptureDrift[] | null;
  readonly redis: readonly RedisState[];
  /** Its own PostgreSQL session, by whose end others know that it is gone; null when it has none that lasts. */
  readonly session: number | null;
}

/** Where this instance answers; null while it does not. Written by the lifecycle. */
export class InstanceAddress {
  /** Its probes, `host:port`. */
  value: string | null = null;
  /** Its API, for other instances. */
  url: string | null = null;
}

/** The next sign of life is missed, and not only late. */
const MISSED = 2;

/** The row by which people and other instances know of this one. */
export class Heartbeat {
  /** It is taken back: nothing is said any more. */
  private gone = false;
  private readonly beats = new Set<Promise<void>>();

  constructor(
    private readonly pool: Pool,
    private readonly stream: string,
    readonly holder: string,
    private readonly address: InstanceAddress,
    private readonly timers: Timers,
    /** Milliseconds between two signs of life of a leader. */
    private readonly every: number,
  ) {}

  async beat(sign: SignOfLife): Promise<void> {
    if (this.gone) return;
    const who = { id: this.holder, stream: this.stream, host: hostname(), pid: process.pid, version: VERSION };
    const record = {
      ...who,
      address: this.address.value,
      url: this.address.url,
      timers: this.timers.names,
      aliveFor: MISSED * this.every,
      ...sign,
    };
    const beat = heartbeat(this.pool, record).finally(() => this.beats.delete(beat));
    this.beats.add(beat);
    await beat;
  }

  /** Takes the row back. A beat that is under way would put it there again. */
  async end(): Promise<void> {
    this.gone = true;
    await Promise.allSettled(this.beats);
    await removeListener(this.pool, this.holder).catch(() => undefined);
  }
}
