import { runMigrations } from '../../src/database/migrator';
import { createTestDatabase, type TestDatabase } from '../support/database';

const ADOPTER = 'observers_test_adopter';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ migrate: false });
  await database.query(
    `do $$ begin create role ${ADOPTER}; exception when duplicate_object or unique_violation then null; end $$; create schema core`,
  );
});
afterEach(() => database.drop());

// As FraiseQL has it, or one that somebody made by hand: of a role that has no right in our schema, or in the log's.
const adopted = (number: string): string => `create sequence core.numbers;
  create function core.next_number() returns bigint language sql security definer as 'select nextval(''core.numbers'')';
  create table core.tb_entity_change_log (pk_entity_change_log ${number} primary key, id uuid not null default gen_random_uuid(),
    object_type text not null, modification_type text not null, object_data jsonb, created_at timestamptz default now());
  alter table core.tb_entity_change_log owner to ${ADOPTER}; alter sequence core.numbers owner to ${ADOPTER}`;

const COMPLETES = `create table public.kept (id int primary key, v text);
  create function public.completes() returns trigger language plpgsql as $$ begin update public.kept set v = 'complete' where id = new.id; return null; end $$;
  create trigger zz after insert on public.kept for each row execute function public.completes()`;

const IN_ORDER = ['INSERT', 'UPDATE'];

test.each([
  ['serial', 'bigserial', IN_ORDER],
  ['an identity that is always generated', 'bigint generated always as identity', IN_ORDER],
  ['a sequence of no column', "bigint default nextval('core.numbers')", IN_ORDER],
  // There is no clock: the changes are recorded, in the order in which their statements ended.
  ['a function', 'bigint default core.next_number()', ['UPDATE', 'INSERT']],
])(
  'a superuser migrates where the log is of another role: no write of a table with triggers fails, numbers by %s',
  async (_, number, verbs) => {
    await database.query(adopted(number));
    await runMigrations(database.url);
    await database.query(COMPLETES);
    await database.capture('public.kept');
    await database.query('insert into public.kept values (1)');
    const log = await database.query<{ verb: string; extra: unknown }>(
      'select modification_type as verb, extra_metadata as extra from core.tb_entity_change_log order by pk_entity_change_log',
    );
    expect(log).toEqual(verbs.map((verb) => ({ verb, extra: null })));
    const owners = "select distinct proowner::regrole::text as owner from pg_proc where proname in ('capture_mark', 'capture_chain')";
    expect(await database.query(owners)).toEqual([{ owner: ADOPTER }]);
  },
);
