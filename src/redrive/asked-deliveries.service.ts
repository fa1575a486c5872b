import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import {
  countPending,
  isLed,
  readHeldEndpoints,
  readProgress,
  readSetProgress,
  type AskedDelivery,
  type AskedProgress,
  type HeldEndpoint,
  type SetProgress,
} from './asked.sql';

export type { AskedDelivery, AskedProgress, HeldEndpoint, SetProgress } from './asked.sql';

/** Deliveries that a person has asked for: the service makes the tries, and whoever asked looks what came of them. */
@Injectable()
export class AskedDeliveries {
  constructor(private readonly database: Database) {}

  /** What has become of each, in the order given. */
  progressOf(asked: readonly Omit<AskedDelivery, 'endpoint'>[]): Promise<AskedProgress[]> {
    return this.database.use((client) => readProgress(client, asked));
  }

  /** What has become of the retries that were asked for by one token since a moment of the database (RFC 3339). */
  progressSince(token: string, since: string): Promise<SetProgress> {
    return this.database.use((client) => readSetProgress(client, token, since));
  }

  /** What of one token waits, or is being tried. */
  pendingOf(token: string): Promise<{ waiting: number; running: number }> {
    return this.database.use((client) => countPending(client, token));
  }

  /** Whether a service can be expected to make the tries. */
  isLed(): Promise<boolean> {
    return this.database.use((client) => isLed(client));
  }

  /** Endpoints whose circuit breakers are not closed: next to nothing is tried there. */
  held(): Promise<HeldEndpoint[]> {
    return this.database.use((client) => readHeldEndpoints(client));
  }

  /** The database's clock, RFC 3339. */
  now(): Promise<string> {
    return this.database.use(async (client) => {
      const { rows } = await client.query<{ now: string }>(`select to_json(clock_timestamp()) #>> '{}' as now`);
      return rows[0]?.now ?? '';
    });
  }
}
