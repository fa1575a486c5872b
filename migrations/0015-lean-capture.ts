import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: a captured write may cost hardly more than one with a trigger that somebody wrote by hand.
 *
 * - The event id holds the change number in its last 60 bits. So it is found by the primary key, and needs no index of its own and no
 *   random bits. The time in its first 48 bits keeps it unique when a restored database gives a number out again.
 * - History of one entity is asked by people: its index was paid for by every writer. docs/capture.md says how to make one.
 */
export class LeanCapture0015 implements MigrationInterface {
  readonly name = 'LeanCapture1700000000015';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    const [found] = (await runner.query(
      "select pg_get_serial_sequence('core.tb_entity_change_log', 'pk_entity_change_log') as sequence",
    )) as { sequence: string | null }[];
    // An adopted table may have numbers of another kind; it keeps the ids that it makes.
    if (found?.sequence) for (const statement of eventIds(found.sequence)) await runner.query(statement);
    for (const index of ['tb_entity_change_log_entity', 'tb_entity_change_log_id']) {
      await runner.query(`drop index concurrently if exists core.${index}`);
    }
  }

  async down(): Promise<void> {}
}

// UUIDv7: 48 bits of milliseconds, version 7, then the variant and the change number: tttttttt-tttt-7000-bnnn-nnnnnnnnnnnn.
// Two texts of 16 hexadecimal digits are put together, for that takes the fewest function calls: each costs 0.1 us to set up.
const eventIds = (sequence: string): string[] => [
  `alter table core.tb_entity_change_log alter column id set default
     ('0' || to_hex((date_part('epoch', clock_timestamp()) * 1000)::bigint << 16 | 28672)
          || to_hex(currval('${sequence.replaceAll("'", "''")}'::regclass) | -5764607523034234880))::uuid`,
  // The default runs as whoever writes to the log, and needs no more than to read the number that it was just given.
  `grant select on sequence ${sequence} to public`,
  'drop function if exists observers.uuidv7()',
];
