import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { Clock } from '../event/clock';
import { Lease } from './lease';

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
