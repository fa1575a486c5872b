import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { countPending, listPending, type PendingFilter, type WaitingDelivery } from './pending.sql';

export type { PendingFilter, WaitingDelivery } from './pending.sql';

/** Deliveries that are not finished. */
@Injectable()
export class PendingDeliveries {
  constructor(private readonly database: Database) {}

  /** The next one first, and how many there are in all. */
  list(stream: string, filter: PendingFilter, limit: number): Promise<{ items: WaitingDelivery[]; total: number }> {
    return this.database.use(async (client) => ({
      items: await listPending(client, stream, filter, limit),
      total: await countPending(client, stream, filter),
    }));
  }
}
