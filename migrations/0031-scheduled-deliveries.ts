import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a delivery may wait for its time (`delay`, `deliver_at`, `debounce`). It does so as a row with a date, in state `scheduled`, so that
 * neither a restart nor a reload loses it; a later change finds it there and takes its place, or cancels it.
 */
export class ScheduledDeliveries0031 implements MigrationInterface {
  readonly name = 'ScheduledDeliveries1700000000031';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const STATEMENTS = [
  // Null: it never waited for a time.
  'alter table observers.pending_delivery add column if not exists due_at timestamptz',
  'alter table observers.pending_delivery add column if not exists debounce_key text collate "C"',
  'alter table observers.pending_delivery add column if not exists debounced_since timestamptz',
  // How many changes it stands for, itself included; null where its observer does not debounce.
  'alter table observers.pending_delivery add column if not exists collapsed integer',
  'alter table observers.dead_letter add column if not exists collapsed integer',
  `create index if not exists pending_delivery_scheduled on observers.pending_delivery (stream, next_attempt_at, change_number) where state = 'scheduled'`,
  `create index if not exists pending_delivery_debounced on observers.pending_delivery (stream, observer, action, debounce_key) where state = 'scheduled' and debounce_key is not null`,
  'create index if not exists pending_delivery_cancellable on observers.pending_delivery (stream, lane) where due_at is not null',
];
