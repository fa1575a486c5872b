import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { isLed } from './asked.sql';
import {
  countLanes,
  listLanes,
  repairLanes,
  resumeLanes,
  type HeldLane,
  type LaneFilter,
  type LaneRepair,
  type LanesResumed,
} from './lane-repair.sql';

export type { HeldLane, LaneFilter, LaneRepair, LanesResumed } from './lane-repair.sql';

/** Lanes of strict observers that something holds up. */
@Injectable()
export class HeldLanes {
  constructor(private readonly database: Database) {}

  /** Parked ones first, then the oldest. */
  list(stream: string, filter: LaneFilter, limit: number, offset = 0): Promise<HeldLane[]> {
    return this.database.use((client) => listLanes(client, stream, filter, limit, offset));
  }

  /** How many there are in all. */
  count(stream: string, filter: LaneFilter): Promise<number> {
    return this.database.use((client) => countLanes(client, stream, filter));
  }

  /** Lets the heads be tried once more, now. */
  resume(stream: string, filter: LaneFilter, who: string): Promise<LanesResumed> {
    return this.database.use((client) => resumeLanes(client, stream, filter, who));
  }

  /** Whether a service can be expected to make the tries. */
  isLed(): Promise<boolean> {
    return this.database.use((client) => isLed(client));
  }

  /** Takes the heads out of their lanes, so that the next ones go on. @returns lanes and deliveries that were acted on */
  repair(stream: string, filter: LaneFilter, how: LaneRepair, who: string): Promise<{ lanes: number; deliveries: number }> {
    return this.database.use((client) => repairLanes(client, stream, filter, how, who));
  }
}
