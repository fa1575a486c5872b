import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { isLed, readProgress, type AskedDelivery, type AskedProgress } from './asked.sql';

export type { AskedDelivery, AskedProgress } from './asked.sql';

/** Deliveries that a person has asked for: the service makes the tries, and whoever asked looks what came of them. */
@Injectable()
export class AskedDeliveries {
  constructor(private readonly database: Database) {}

  /** What has become of each, in the order given. */
  progressOf(asked: readonly AskedDelivery[]): Promise<AskedProgress[]> {
    return this.database.use((client) => readProgress(client, asked));
  }

  /** Whether a service can be expected to make the tries. */
  isLed(): Promise<boolean> {
    return this.database.use((client) => isLed(client));
  }
}
