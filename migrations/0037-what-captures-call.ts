import type { MigrationInterface, QueryRunner } from 'typeorm';
import { LONG_WAY } from './0016-long-way.sql';

/**
 * Why: two ways in which a capture broke the user's write.
 *
 * - Where default privileges take EXECUTE on functions away from everybody (hardening guides ask for it), `observers_capture` could not call what
 *   its own functions are made of. All of these run with the rights of whoever calls them, so that everybody may.
 * - A cast of theirs that fails an ASSERT: OTHERS leaves that error out.
 */
export class WhatCapturesCall0037 implements MigrationInterface {
  readonly name = 'WhatCapturesCall1700000000037';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of GUARDED) await runner.query(statement);
    await runner.query(OPEN);
    for (const type of ['captured', 'capture_branch']) await runner.query(`grant usage on type observers.${type} to public`);
  }

  async down(): Promise<void> {}
}

const GUARDED = LONG_WAY.filter((statement) => statement.includes('when others then')).map((statement) =>
  statement.replace('when others then', 'when others or assert_failure then'),
);

// By their names: another version may have made one that this one does not know.
const OPEN = `
  do $$ declare name text; begin
    for name in
      select p.oid::regprocedure::text from pg_proc p
      where p.pronamespace = 'observers'::regnamespace and not p.prosecdef and p.prorettype <> 'trigger'::regtype
        and p.proname ~ '^(captured_(text|json|jsonb|hash|expression|key|image|uuid|error)|capture_(note|book|close|misplaced|truncated|settle|restore|statement|insert)|trace_context|key_changed|text_size|readable|shown)$'
        and pg_has_role(p.proowner, 'USAGE')
    loop
      execute 'grant execute on function ' || name || ' to public';
    end loop;
  end $$`;
