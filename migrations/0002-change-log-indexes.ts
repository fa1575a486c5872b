import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: the snapshot cursor is one index look-up. Every writer pays for each index of the log, so there is no other (see 0015).
 *
 * Built concurrently and outside a transaction: on an adopted table with millions of rows a plain CREATE INDEX would stop the users'
 * writes for its whole duration. What an interrupted build leaves behind is invalid, and is dropped first.
 */
export class ChangeLogIndexes0002 implements MigrationInterface {
  readonly name = 'ChangeLogIndexes1700000000002';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, create] of Object.entries(CHANGE_LOG_INDEXES)) {
      const [found] = (await runner.query(
        `select i.indisvalid as valid from pg_index i where i.indexrelid = to_regclass('core.${name}')`,
      )) as { valid: boolean }[];
      if (found?.valid) continue;
      if (found) await runner.query(`drop index concurrently core.${name}`);
      await runner.query(create);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(CHANGE_LOG_INDEXES)) await runner.query(`drop index concurrently if exists core.${name}`);
  }
}

/** By their names, in the schema core: what makes each. No function is exported, for TypeORM would take it for a migration. */
export const CHANGE_LOG_INDEXES = {
  tb_entity_change_log_xid:
    'create index concurrently tb_entity_change_log_xid on core.tb_entity_change_log (change_xid, pk_entity_change_log)',
} as const;
