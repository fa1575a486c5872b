import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Why: the proof that nothing was lost must not wait for a person to ask for it. The leader accounts for what the stream has passed, in
 * the background, and a new leader goes on where the last one was; what it cannot account for stands here until it is mended.
 *
 * A change that leaves quarantine is decided after its turn, by the configuration of that moment: which one that was is recorded, for
 * the place in the stream would say another.
 */
export class BackgroundAudit0014 implements MigrationInterface {
  readonly name = 'BackgroundAudit1700000000014';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {}
}

const STATEMENTS = [
  `create table if not exists observers.audit (
     stream            text primary key,
     epoch             bigint not null,
     system_identifier text not null,
     -- What was visible in it is accounted for, and of what is visible in the target all up to the number \`after\`. Between two: null.
     previous          pg_snapshot not null,
     target            pg_snapshot,
     after             bigint not null default 0,
     -- What is accounted for is looked at again, round and round, in the order of the numbers: up to here.
     patrolled         bigint not null default 0,
     -- When the checkpoint that the target is was read.
     target_at         timestamptz,
     -- What the stream had passed at this moment is accounted for.
     complete_at       timestamptz
   )`,

  `create table if not exists observers.unaccounted (
     stream         text not null,
     change_number  bigint not null,
     observer       text not null,
     action         text not null,
     -- That asks for the delivery.
     config_version integer not null,
     found_at       timestamptz not null default clock_timestamp(),
     -- A person has decided that nothing is to be done about it.
     dismissed_at   timestamptz,
     dismissed_by   text,
     reason         text,
     primary key (stream, change_number, observer, action)
   )`,
  'create index if not exists unaccounted_change on observers.unaccounted (change_number)',

  `create table if not exists observers.late_decision (
     stream         text not null,
     change_number  bigint not null,
     config_version integer not null,
     decided_at     timestamptz not null default clock_timestamp(),
     audited        boolean not null default false,
     primary key (stream, change_number)
   )`,
  'create index if not exists late_decision_open on observers.late_decision (stream, change_number) where not audited',
];
