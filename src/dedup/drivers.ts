import type { Pool } from 'pg';
import type { Clock } from '../event/clock';
import type { DedupStore } from './dedup-store';
import { MemoryDedup } from './memory-dedup';
import { PostgresDedup } from './postgres-dedup.sql';

/** By the value of OBSERVERS_DEDUP_DRIVER. A new driver is a file and a line here; it passes test/conformance/dedup-store. */
export const DEDUP_DRIVERS = {
  postgres: (pool: Pool): DedupStore => new PostgresDedup(pool),
  memory: (_pool: Pool, clock: Clock): DedupStore => new MemoryDedup(clock),
};
