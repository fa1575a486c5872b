import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: the snapshot cursor, "history of one entity" and "this event" are each one index look-up.
 *
 * Built concurrently and outside a transaction: on an adopted table with millions of rows a plain CREATE INDEX would stop the users'
 * writes for its whole duration. What an interrupted build leaves behind is invalid, and is dropped first.
 */
export class ChangeLogIndexes0002 implements MigrationInterface {
  readonly name = 'ChangeLogIndexes1700000000002';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, definition] of Object.entries(INDEXES)) {
      const [found] = (await runner.query(
        `select i.indisvalid as valid from pg_index i where i.indexrelid = to_regclass('core.${name}')`,
      )) as { valid: boolean }[];
      if (found?.valid) continue;
      if (found) await runner.query(`drop index concurrently core.${name}`);
      await runner.query(`create ${definition.replace('index', `index concurrently ${name}`)}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(INDEXES)) await runner.query(`drop index concurrently if exists core.${name}`);
  }
}

const INDEXES = {
  tb_entity_change_log_xid: 'index on core.tb_entity_change_log (change_xid, pk_entity_change_log)',
  tb_entity_change_log_entity: 'index on core.tb_entity_change_log (object_type, object_key, pk_entity_change_log)',
  tb_entity_change_log_id: 'unique index on core.tb_entity_change_log (id)',
};
