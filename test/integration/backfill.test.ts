import type { Client } from 'pg';
import { connect, disconnect } from '../../src/database/postgres';
import { givenBackfills, runBackfill, targetOf, type Logged } from '../support/backfill';
import { containing } from '../support/texts';
import { atLeast, untilRead, untilRows } from '../support/until';

const { given, observe, logged, backfilled, received } = givenBackfills();

test('existing rows arrive at the observers that are named, as they are, whatever kinds these are for; at nobody else', async () => {
  await given.database.query('create table orders (id int primary key, total int)');
  await given.database.query('insert into orders select i, i * 10 from generate_series(1, 1200) i');
  await given.database.capture('public.orders', { entity: 'Order' });
  await observe(
    { name: 'crm', kinds: ['delete'], columns: ['total'] },
    { name: 'big', entities: ['Order'], when: 'total > 11900' },
    { name: 'changed', when: 'CHANGED(total) OR before.total = 1' },
    { name: 'others' },
  );
  const result = await runBackfill(given.database, {
    table: 'public.orders',
    observers: ['crm', 'big', 'changed'],
    capture: { entity: 'Order' },
  });
  expect(result).toMatchObject({ state: 'finished', done: 1_200, failed: 0, led: true });
  await given.receiver.waitFor(1_210);
  await untilRead(given.database);
  expect([received('crm').length, received('big').length, received('changed').length, received('others').length]).toEqual([
    1_200, 10, 0, 0,
  ]);
  const one = received('crm').find(({ entity }) => entity.key === '7');
  expect(one).toMatchObject({
    type: 'order.backfilled',
    data: { id: 7, total: 70 },
    before: null,
    changed: [],
    entity: { type: 'Order', key: '7' },
  });
});

test('the image is what the capture records: masks, exclusions, key, tenant and condition of the capture', async () => {
  await given.database.query(
    `create function public.same(text) returns text language sql as 'select $1'; create table people (id int primary key, code text not null, email text, phone text, secret text, tenant uuid, at timestamptz, amount float8)`,
  );
  const options = {
    entity: 'Person',
    key: ['code', 'id'],
    tenant: 'tenant',
    exclude: ['secret'],
    mask: { email: 'hash', phone: 'drop' },
    when: 'id > 1',
  } as const;
  await given.database.capture('public.people', options);
  await given.database.query(
    `insert into people select i, 'c' || i, 'a@b', '1', 's', '7e57d004-2b97-0e7a-b45f-5387367791cd', '2026-01-31T10:00:00.5+02', 0.1::float8 from generate_series(1, 3) i`,
  );
  await runBackfill(given.database, { table: 'public.people', capture: options, where: "same(email) = 'a@b' -- theirs" });
  const [live, filled] = [(await logged()).filter(({ verb }) => verb === 'INSERT'), await backfilled()];
  const facts = ({ key, data, tenant }: Logged) => [key, data, tenant];
  expect(filled.map(facts)).toEqual(live.map(facts));
  expect(filled).toHaveLength(2);
  expect(filled[0]?.data).not.toMatch(/a@b|secret|phone/);
  expect(filled[0]?.metadata).toEqual({ backfill: { id: expect.any(String) as string, observers: ['crm'] } });
});

/** Keys of every kind, their rows in order and each once, also from chunk to chunk. */
const KEYS: [type: string, values: string][] = [
  ['(k text collate "C" primary key)', "select 'k' || i from generate_series(1, 250) i"],
  ['(a int, k text, primary key (a, k))', "select i % 3, 'x' || i from generate_series(1, 250) i"],
  ['(k char(5) primary key)', 'select i::text from generate_series(1, 250) i'],
  ['(k numeric(10, 3) primary key)', 'select i / 7.0 from generate_series(1, 250) i'],
  ['(k float8 primary key)', "select i / 7.0 from generate_series(1, 250) i union all select 'NaN' union all select '-Infinity'"],
  ['(k timestamptz primary key)', "select now() + i * interval '1 us' from generate_series(1, 250) i"],
  ['(k int[] primary key)', 'select array[i % 5, i] from generate_series(1, 250) i'],
  ['(k bytea primary key)', "select decode(md5(i::text), 'hex') from generate_series(1, 250) i"],
  ['(k inet primary key)', "select '10.0.0.0'::inet + i from generate_series(1, 250) i"],
  ['(k bool, i int, primary key (k, i))', 'select i % 2 = 0, i from generate_series(1, 250) i'],
  ['("a ""b" int, "$t" uuid, primary key ("$t", "a ""b"))', 'select i, gen_random_uuid() from generate_series(1, 250) i'],
  ['(k "Mood""y" primary key)', `select unnest(enum_range(null::"Mood""y"))`],
  ['(k name_of primary key)', "select 'n' || i from generate_series(1, 250) i"],
  ['(k int4range primary key)', 'select int4range(i, i + 1) from generate_series(1, 250) i'],
  ['(k bit(10) primary key)', 'select i::bit(10) from generate_series(1, 250) i'],
  ['(k "char" primary key)', `select chr(i)::"char" from generate_series(1, 126) i`],
];

test.each(KEYS)('a table with the key %s is gone through in its order, each row once', async (columns, values) => {
  await given.database.query(
    `create type "Mood""y" as enum ('z', 'a''b', 'm'); create domain name_base as text; create domain name_of as name_base`,
  );
  await given.database.query(`create table "Odd table.x" ${columns}; insert into "Odd table.x" ${values}`);
  await given.database.capture('public."Odd table.x"', { entity: 'Odd' });
  const [{ count }] = (await given.database.query<{ count: number }>('select count(*)::int as count from "Odd table.x"')) as [
    { count: number },
  ];
  const { done } = await runBackfill(given.database, { table: 'public."Odd table.x"', capture: { entity: 'Odd' } });
  const rows = await backfilled();
  expect([done, rows.length, new Set(rows.map(({ key }) => key)).size]).toEqual([count, count, count]);
});

test('a table without a primary key: rows with the same key come together, and those without one are told', async () => {
  await given.database.query('create table logs (k int, j int, note text)');
  await given.database.query(
    `insert into logs select i / 300, i / 150, i::text from generate_series(0, 899) i; insert into logs values (1, null, 'no place')`,
  );
  await given.database.capture('public.logs', { entity: 'Log', key: ['k', 'j'] });
  const options = { table: 'public.logs', capture: { entity: 'Log', key: ['k', 'j'] } };
  const { countRows } = await import('../../src/backfill/target');
  expect(await countRows(given.database.client, await targetOf(given.database.client, options))).toEqual({ count: 900, unplaced: 1 });
  await runBackfill(given.database, options);
  expect(new Set((await backfilled()).map(({ data }) => data)).size).toBe(900);
});

test('partitions, an empty table, and rows that are deleted or get another key meanwhile', async () => {
  await given.database.query(`create table p (id int, d int, primary key (d, id)) partition by list (d);
    create table p1 partition of p for values in (1); create table p2 partition of p for values in (2)`);
  await given.database.query('insert into p select i, 1 + i % 2 from generate_series(1, 600) i');
  await given.database.capture('public.p', { entity: 'P' });
  const other = await connect(given.database.url, 'other');
  let changed = false;
  const onProgress = async (): Promise<void> => {
    if (changed) return;
    changed = true;
    await other.query(
      'delete from public.p where id between 300 and 309; update public.p set id = id + 10000 where id between 200 and 209 and d = 2',
    );
  };
  let wait: Promise<void> = Promise.resolve();
  await runBackfill(given.database, {
    table: 'public.p',
    capture: { entity: 'P' },
    onProgress: () => void (wait = wait.then(onProgress)),
    sleep: () => wait,
    rate: 1_000,
  });
  await disconnect(other);
  const keys = (await backfilled()).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  const there = await given.database.query<{ key: string }>('select json_build_array(d, id)::text as key from p');
  const known = new Set((await logged()).map(({ key }) => key));
  expect(there.filter(({ key }) => !known.has(key))).toEqual([]);
  await given.database.query('create table nothing (id int primary key)');
  await given.database.capture('public.nothing');
  expect(await runBackfill(given.database, { table: 'public.nothing' })).toMatchObject({ state: 'finished', done: 0 });
});

test('a row that cannot be written whole is recorded by its key with the reason; the others whole', async () => {
  await given.database.query(`create type odd as enum ('fine', 'bad'); create function odd_json(odd) returns json language plpgsql as
    $$ begin if $1 = 'bad' then raise exception 'no JSON of it'; end if; return to_json($1::text); end $$; create cast (odd as json) with function odd_json(odd)`);
  await given.database.query('create table docs (id int primary key, o odd)');
  await given.database.query("insert into docs select i, case i when 77 then 'bad' else 'fine' end::odd from generate_series(1, 300) i");
  await given.database.capture('public.docs', { entity: 'Doc' });
  expect(await runBackfill(given.database, { table: 'public.docs', capture: { entity: 'Doc' } })).toMatchObject({ done: 300, failed: 1 });
  const rows = await backfilled();
  expect(rows).toHaveLength(300);
  expect(rows.filter(({ data }) => data === null)).toMatchObject([{ key: '77', metadata: { capture_error: containing('no JSON of it') } }]);
  await observe({ name: 'crm' });
  await given.receiver.waitFor(299);
  const quarantine = await untilRows(given.database, 'select reason, message from observers.quarantine', atLeast(1));
  expect(quarantine).toMatchObject([{ reason: 'capture_error', message: containing('no JSON of it') }]);
});

/** One that writes to the same rows for as long as it is wanted. */
async function writer(client: Client, wanted: () => boolean, write: (client: Client) => Promise<unknown>): Promise<void> {
  try {
    while (wanted()) await write(client);
  } finally {
    await disconnect(client);
  }
}

test.each(['none', 'strict'] as const)(
  'writers hammer the same rows: nobody gets an image behind a newer change, and the last one is the row as committed (ordering %s)',
  async (ordering) => {
    const rows = 400;
    await given.database.query('create table items (id int primary key, v bigint not null)');
    await given.database.query('create sequence versions');
    await given.database.query(`insert into items select i, nextval('versions') from generate_series(1, ${rows}) i`);
    await given.database.capture('public.items', { entity: 'Item' });
    await observe({ name: 'crm', ordering });
    let running = true;
    const writers = await Promise.all([1, 2, 3, 4].map(() => connect(given.database.url, 'writer')));
    const hammering = writers.map((client, i) =>
      writer(
        client,
        () => running,
        async (one) => {
          const id = 1 + Math.floor(Math.random() * rows);
          if (i < 3) return one.query("update public.items set v = nextval('public.versions') where id = $1", [id]);
          await one.query('begin');
          await one
            .query("update public.items set v = nextval('public.versions') where id = any ($1)", [[id, 1 + ((id * 7) % rows)].sort()])
            .catch(() => undefined);
          if (Math.random() < 0.3) await one.query('delete from public.items where id = $1', [id]).catch(() => undefined);
          await one.query(Math.random() < 0.2 ? 'rollback' : 'commit');
          return one.query("insert into public.items values ($1, nextval('public.versions')) on conflict do nothing", [id]);
        },
      ),
    );
    for (let i = 0; i < 4; i++)
      await runBackfill(given.database, { table: 'public.items', capture: { entity: 'Item' }, again: true, rate: 2_000 });
    running = false;
    await Promise.all(hammering);
    const changes = await given.database.query<{ n: number }>('select count(*)::int as n from core.tb_entity_change_log');
    await given.receiver.waitFor(changes[0]!.n);
    expect((await backfilled()).length).toBeGreaterThan(rows * 3);
    // The image chain, as the receiver sees it.
    const last = new Map<string, { image: string | null; sequence: number }>();
    for (const { entity, data, before, sequence, type } of received('crm')) {
      const known = last.get(entity.key);
      if (known !== undefined) {
        expect(sequence).toBeGreaterThan(known.sequence);
        if (type === 'item.created') expect(known.image).toBeNull();
        else expect([type, JSON.stringify(type === 'item.backfilled' ? data : before)]).toEqual([type, known.image]);
      }
      last.set(entity.key, { image: type === 'item.deleted' ? null : JSON.stringify(data), sequence });
    }
    const committed = await given.database.query<{ id: number; image: string }>('select id, row_to_json(items)::text as image from items');
    for (const { id, image } of committed) expect([id, last.get(String(id))?.image]).toEqual([id, image]);
  },
  240_000,
);

test('a row of a backfill that does not say for whom is never guessed', async () => {
  await given.database
    .query(`insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data, extra_metadata)
    select 'Order', i::text, 'BACKFILL', '{}', (array[null, '{}', '{"backfill": 1}', '{"backfill": {"id": "x", "observers": []}}', '{"backfill": {"id": "x", "observers": [1]}}', '{"backfill": {"id": "x", "observers": "crm"}}'])[i]::jsonb
    from generate_series(1, 6) i`);
  await observe({ name: 'crm' });
  const found = await untilRows(given.database, 'select reason from observers.quarantine', 6);
  expect(new Set(found.map(({ reason }) => reason as string))).toEqual(new Set(['undecodable']));
  expect(given.receiver.requests).toEqual([]);
});
