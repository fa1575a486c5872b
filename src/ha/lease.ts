import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { Clock } from '../event/clock';
import type { Mandate } from '../event/mandate';
import { acquireLease, releaseLease, renewLease } from './lease.sql';

/**
 * Who reads a stream. The truth is the row in PostgreSQL: every write of the leader carries its epoch and fails when it is stale.
 *
 *   standing by → (acquire) → leading ⇄ (no renewal in time) run out → (epoch is newer) lost
 *
 * A leader trusts itself less than the database does: it counts from before a renewal was sent, on a clock that never jumps.
 */
export class Lease implements Mandate {
  /** Monotonic time until which this process may act as the leader. Written by acquire and renew. */
  private deadline = -Infinity;
  private refused = false;

  private constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly stream: string,
    private readonly ttl: number,
    readonly epoch: number,
    private recordedPid: number | null,
  ) {}

  /**
   * @param backendPid the holder's own PostgreSQL session, or null when it has none that lasts
   * @param ttl milliseconds
   * @returns null while another instance holds it
   */
  static async acquire(
    pool: Pool,
    clock: Clock,
    stream: string,
    holder: string,
    backendPid: number | null,
    ttl: number,
  ): Promise<Lease | null> {
    const before = clock.monotonic();
    const epoch = await acquireLease(pool, stream, holder, backendPid, ttl);
    if (epoch === null) return null;
    const lease = new Lease(pool, clock, stream, ttl, epoch, backendPid);
    lease.deadline = before + ttl;
    return lease;
  }

  /** Whether this process may act now. To be asked before each act, for the process may have been stopped for a minute. */
  get valid(): boolean {
    return !this.refused && this.clock.monotonic() < this.deadline;
  }

  /** The holder's session on record, by whose end a stand-by knows that the holder is gone; without one it waits for the lease to run out. */
  get backendPid(): number | null {
    return this.recordedPid;
  }

  /** Whether another instance has taken over: this term is over for good. Merely running out is not that; a renewal may still succeed. */
  get lost(): boolean {
    return this.refused;
  }

  /** @returns false when another instance has taken over. @throws when the database does not answer; the lease then runs out by itself. */
  async renew(backendPid: number | null): Promise<boolean> {
    const before = this.clock.monotonic();
    if (await renewLease(this.pool, this.stream, this.epoch, backendPid, this.ttl)) {
      this.deadline = before + this.ttl;
      this.recordedPid = backendPid;
    } else this.refused = true;
    return !this.refused;
  }

  /** The ledger found a newer epoch. */
  refuse(): void {
    this.refused = true;
  }

  async release(): Promise<void> {
    this.refused = true;
    await releaseLease(this.pool, this.stream, this.epoch);
  }
}

/** Who leads which stream. */
@Injectable()
export class Leases {
  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
  ) {}

  /**
   * @param backendPid the holder's own PostgreSQL session, or null when it has none that lasts
   * @param ttl milliseconds
   * @returns null while another instance holds it
   */
  acquire(stream: string, holder: string, backendPid: number | null, ttl: number): Promise<Lease | null> {
    return Lease.acquire(this.pool, this.clock, stream, holder, backendPid, ttl);
  }
}
