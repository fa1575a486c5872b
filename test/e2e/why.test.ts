import type { EntityAnswer } from '../../src/explain/entity-answers.service';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing, matching } from '../support/texts';
import { eventually, until, untilLeading, untilRead, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;

const to = (path: string, more = ', circuit_breaker: off'): string =>
  `{ name: hook, type: webhook, url: "${receiver.url}${path}", allow_addresses: [loopback]${more} }`;
const CAPTURE = '{ table: public.orders, entity: Order }';
const fileOf = (observers: string, capture = CAPTURE): string => `
version: 1
capture: [${capture}]
lookups: { customer: { url: "${receiver.url}/503", allow_addresses: [loopback], timeout: 1s } }
observers:${observers === '' ? ' []' : observers}
`;

beforeEach(async () => {
  database = await createTestDatabase();
  // /400 answers 400, and so on; /later 503 at the first try.
  receiver = await startReceiver(({ path }, response) => {
    const tries = receiver.requests.filter((request) => request.path === path).length;
    const code = path === '/later' ? (tries > 1 ? 204 : 503) : Number(/^\/(\d{3})/.exec(path)?.[1] ?? 204);
    response.writeHead(code).end();
  });
  await database.query('create table orders (id int primary key, total numeric, status text)');
  program = programOn(database, fileOf(''));
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

async function start(observers: string, capture = CAPTURE, env: Record<string, string> = {}): Promise<void> {
  await service?.stop();
  const file = fileOf(observers, capture);
  program.write(file);
  service = await startTestService(database.url, { file, env });
  await untilLeading(service.streams.main);
}

const LOG = `
  - { name: all, entity: Order, actions: [{ type: log, name: say }] }`;
const insert = (id: number, total = 10): Promise<unknown> => database.query("insert into orders values ($1, $2, 'new')", [id, total]);
const ask = (...more: string[]): Promise<EntityAnswer> => program.json(['why', '--entity', 'Order', ...more]);
const why = (key: string | number, ...more: string[]): Promise<EntityAnswer> => ask('--key', String(key), ...more);
const text = async (key: string | number, ...more: string[]): Promise<string> =>
  (await program.run(['why', '--entity', 'Order', '--key', String(key), ...more])).out;
const reasons = ({ absences }: EntityAnswer): string[] => absences.map(({ reason }) => reason);
/** State and sentence of an observer's one delivery of the newest change. */
const came = ({ changes }: EntityAnswer, observer: string): string => {
  const [delivery] = changes[0]!.observers.find(({ name }) => name === observer)!.deliveries;
  return `${delivery!.state}: ${delivery!.why}`;
};
const next = ({ changes }: EntityAnswer, observer: string): string | null =>
  changes[0]!.observers.find(({ name }) => name === observer)!.deliveries[0]!.next;

test('what came of a change: delivered at which try, and of the others which part of the condition was not met, newest first', async () => {
  await start(`
  - { name: mail, entity: Order, on: [insert], retry: { strategy: fixed, initial_delay: 10ms }, actions: [${to('/later')}] }
  - { name: big, entity: Order, when: "total > 100 AND status = 'new'", actions: [{ type: log, name: say }] }
  - { name: gone, entity: Order, on: [delete], actions: [{ type: log }] }
  - { name: never, entity: Order, on: [update], columns: [id], actions: [{ type: log }] }
  - { name: customers, entity: Customer, actions: [{ type: log }] }`);
  await insert(5);
  await untilRows(database, "select from observers.attempt where outcome = 'succeeded'", 1);
  await database.query("update orders set total = 200, status = 'shipped' where id = 5");
  await insert(6);
  await untilRead(database);
  await until(async () => (await why(5)).behind === null);
  const answer = await why(5);
  expect(answer).toMatchObject({ entity: 'Order', key: '5', observer: null, more: false, absences: [] });
  expect(answer.changes.map(({ changeNumber, version }) => [changeNumber, version])).toEqual([
    [2, 1],
    [1, 1],
  ]);
  expect(answer.changes[1]!.observers).toMatchObject([
    { name: 'mail', verdict: 'matched', deliveries: [{ state: 'delivered', tries: 2, next: null }] },
    { name: 'big', verdict: 'condition not met', why: 'the condition is not met: total > 100 is false (total = 10)', deliveries: [] },
    { name: 'gone', verdict: 'other kind' },
    { name: 'never', verdict: 'other kind' },
    { name: 'customers', verdict: 'other entity' },
  ]);
  expect(answer.changes[0]!.observers[1]!.why).toBe('the condition is not met: status = \'new\' is false (status = "shipped")');
  expect(answer.next).toBe('debug-event --event-id 2');
  const lines = (await text(5)).split('\n');
  expect(lines[0]).toBe('Order 5: 2 changes, newest first');
  expect(lines[2]).toMatch(/^change 2: update, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, by version 1 of the configuration$/);
  expect(lines).toContainEqual(matching(/^ {2}✓ mail\/hook: delivered, at try 2 with 204, \d{4}-\S+Z$/));
  expect(lines).toContain('  – never: columns: none of id changed; changed: total, status');
  expect(lines).toContain('  – not for it: mail, gone, customers');
  expect(lines).toContain('  – not for it: gone, never, customers');
  expect(lines.slice(-3)).toEqual(['', '→ fraiseql-observers debug-event --event-id 2', '']);
  expect(await text(5, '--limit', '1')).toMatch(/^Order 5: the last change; there are older ones \(--limit\)\n/);
  const one = await why(5, '--observer', 'gone');
  expect(one.changes.map(({ observers }) => observers.map(({ why }) => why))).toEqual([
    ['it is for delete, and this is update'],
    ['it is for delete, and this is insert'],
  ]);
});

test('what waits, and for what: its time, the breaker, its lane, a pause, a place; what died: each with the command that helps', async () => {
  const observers = `
  - { name: dead, entity: Order, retry: { max_attempts: 1 }, actions: [${to('/400')}] }
  - { name: later, entity: Order, retry: { initial_delay: 1h }, actions: [${to('/500')}] }
  - { name: broken, entity: Order, retry: { strategy: fixed, initial_delay: 10ms, max_attempts: 1000 }, actions: [${to('/503', ', circuit_breaker: { minimum: 2, open_for: 1h }')}] }
  - { name: strict, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [${to('/422')}] }
  - { name: plan, entity: Order, lookups: [customer], when: "lookups.customer.plan = 'gold'", retry: { max_attempts: 1 }, actions: [{ type: log, name: say }] }
  - { name: senseless, entity: Order, when: "status > 1", actions: [{ type: log, name: say }] }
  - { name: quiet, entity: Order, on_failure: log, retry: { max_attempts: 1 }, actions: [${to('/404')}] }
  - { name: once, entity: Order, dedup: { key: "{{ data.status }}", window: 1h }, actions: [{ type: log, name: say }] }
  - { name: held, entity: Order, actions: [${to('/204')}] }
  - { name: shy, entity: Order, mode: shadow, actions: [${to('/204')}] }`;
  program.write(fileOf(observers));
  // Before anybody leads: a leader learns of a pause a moment later.
  expect(await program.run(['observers', 'pause', 'held', '--reason', 'moving'])).toMatchObject({ code: 0 });
  await start(observers);
  await insert(5);
  await eventually(
    () => why(5),
    (answer) => came(answer, 'strict').startsWith('parked'),
  );
  await database.query('update orders set total = 20 where id = 5');
  await untilRows(database, "select from observers.listener where endpoints::text like '%open%'", 1);
  const answer = await eventually(
    () => why(5),
    (one) => came(one, 'strict').startsWith('waiting') && came(one, 'once').startsWith('skipped') && came(one, 'dead').startsWith('dead') && came(one, 'plan').startsWith('dead') && came(one, 'held').startsWith('paused') && came(one, 'quiet').startsWith('logged') && came(one, 'broken').includes('breaker is open'), // prettier-ignore
  );
  expect(came(answer, 'dead')).toMatch(/^dead: http_status: the receiver answered 400/);
  expect(next(answer, 'dead')).toMatch(/^dlq retry [\da-f-]{36}$/);
  expect(came(answer, 'later')).toMatch(/^retrying: try 2 comes at \S+Z; the last try failed: http_status: the receiver answered 500/);
  expect(next(answer, 'later')).toBeNull();
  expect(next(answer, 'broken')).toMatch(/^breakers reset /);
  expect(came(answer, 'strict')).toMatch(/^waiting: it waits behind change 1 of its strict lane/);
  expect(next(answer, 'strict')).toBe('lanes list --observer strict --action hook --entity-type Order --entity-key 5');
  expect(came(answer, 'plan')).toMatch(/^dead: lookup/);
  expect(came(answer, 'senseless')).toMatch(/^dead: condition: /);
  expect(came(answer, 'quiet')).toMatch(/^logged: http_status/);
  expect(came(answer, 'once')).toBe('skipped: its dedup key was delivered for change 1');
  expect(came(answer, 'held')).toMatch(/^paused: its observer is paused since \S+Z by \S+: observers resume held$/);
  expect(next(answer, 'held')).toBe('observers resume held');
  expect(came(answer, 'shy')).toMatch(/^shadow: nothing was sent/);
  const [, first] = answer.changes;
  const parked = first!.observers.find(({ name }) => name === 'strict')!.deliveries[0]!;
  expect([parked.state, parked.tries, parked.next]).toEqual([
    'parked',
    1,
    'lanes resume --observer strict --action hook --entity-type Order --entity-key 5',
  ]);
  // The command helps, as it is.
  const [, ...words] = next(answer, 'dead')!.split(' ');
  expect(await program.run(['dlq', 'remove', words[1]!, '--reason', 'told', '--yes'])).toMatchObject({ code: 0 });
  const after = await why(5, '--observer', 'dead');
  expect(came(after, 'dead')).toMatch(/^discarded: discarded at \S+Z; it died of http_status/);
  expect(await text(5, '--observer', 'held')).toContain('\n→ fraiseql-observers observers resume held\n');
});

test('what goes later is told with its time', async () => {
  await start(`
  - { name: remind, entity: Order, delay: 1h, actions: [{ type: log, name: say }] }`);
  await insert(5);
  const answer = await eventually(
    () => why(5),
    (one) => one.changes[0]?.observers[0]?.deliveries[0]?.state === 'scheduled',
  );
  expect(came(answer, 'remind')).toMatch(/^scheduled: .*\d{4}-\d\d-\d\dT/);
  expect(await text(5)).toMatch(/\n {2}… remind\/say: scheduled, /);
});

test('a place that the rate gives later is waited for, and said so', async () => {
  await start(`
  - { name: slow, entity: Order, actions: [${to('/204', ', rate_limit: 1/h, circuit_breaker: off')}] }`);
  for (let id = 1; id <= 4; id++) await insert(id);
  const answer = await eventually(
    () => why(4),
    (one) => one.changes[0]?.observers[0]?.deliveries[0]?.state === 'queued',
  );
  expect(came(answer, 'slow')).toMatch(/^queued: it waits for a place at the endpoint /);
});

test('a change in quarantine names its entity, its reason, and that no observer was asked: in why and in debug-event', async () => {
  await start(LOG, CAPTURE, { OBSERVERS_MAX_EVENT_SIZE: '100KiB' });
  await database.query("insert into core.tb_entity_change_log (object_type, object_key, modification_type) values ('Order', '5', 'SHRUG')");
  await database.query("insert into orders values (6, 1, repeat('x', 200000))");
  await untilRows(database, 'select from observers.quarantine', 2);
  const [{ id }] = (await database.query<{ id: string }>("select id from core.tb_entity_change_log where object_key = '5'")) as [{ id: string }]; // prettier-ignore
  const answer = await why(5);
  expect(answer.changes).toMatchObject([
    {
      recorded: { id, entityType: 'Order', entityKey: '5', kind: 'shrug' },
      state: 'quarantined',
      why: containing('no observer was asked: it could not be made an event: unknown_verb: modification_type is "SHRUG"'),
      observers: [],
      next: `dlq show ${id}`,
    },
  ]);
  expect(answer.next).toBe(`dlq show ${id}`);
  const history = await program.run(['debug-event', '--history', '5']);
  expect(history.out).toMatch(/\n1 +\d{4}-\S+ \S+ +[\da-f-]{36} +Order 5 +shrug +quarantined +none: no observer was asked *\n/);
  expect(history.out).toMatch(/\n2 +\d{4}-\S+ \S+ +[\da-f-]{36} +Order 6 +insert +quarantined +none: no observer was asked *\n/);
  const { out } = await program.run(['debug-event', '--event-id', '1']);
  expect(out).toMatch(
    /^event +[\da-f-]{36} \(change 1\)\nentity +Order 5: shrug\nwritten +\S+\nstate +quarantined: no observer was asked: /,
  );
  // By a larger limit it could be read; nobody was asked all the same, and nothing is unaccounted for.
  await start(LOG);
  const large = await why(6);
  expect(large.changes).toMatchObject([
    {
      state: 'quarantined',
      why: matching(/^no observer was asked: it could not be made an event: too_large: .*; it can be read by now$/),
      observers: [{ name: 'all', deliveries: [{ state: 'not begun', why: 'its change is in quarantine' }] }],
      next: matching(/^dlq retry /),
    },
  ]);
  expect((await program.run(['debug-event', '--history', '1'])).out).toMatch(/quarantined +none: no observer was asked *\n$/);
  const item = large.next!.split(' ').at(-1)!;
  expect(await program.run(['dlq', 'remove', item, '--reason', 'nobody misses it', '--yes'])).toMatchObject({ code: 0 });
  expect((await why(6)).changes).toMatchObject([
    { why: matching(/^no observer was asked: discarded at \S+Z; it could not/), observers: [{ deliveries: [{ state: 'discarded' }] }] },
  ]);
});

test('where one delivery alone is in quarantine, it says so, and the others went on', async () => {
  await start(`${LOG}
  - { name: odd, entity: Order, actions: [{ type: log, name: say }] }`);
  await insert(5);
  await untilRows(database, 'select from observers.attempt', 2);
  await until(async () => (await why(5)).behind === null);
  await database.query("delete from observers.attempt where observer = 'odd'");
  await database.query(
    "insert into observers.quarantine (change_number, stream, reason, message) values (1, 'main', 'unrecordable', E'no/one: x\nodd/say: what became of it could not be recorded: the row is too large')",
  );
  const [{ id }] = (await database.query<{ id: string }>('select id from core.tb_entity_change_log')) as [{ id: string }];
  const answer = await why(5);
  expect(answer.changes).toMatchObject([
    {
      state: 'processed',
      notes: [
        matching(
          /^a delivery of it is in quarantine since \S+, and the others went on \(unrecordable: no\/one: x; odd\/say: .*\): dlq show /,
        ),
      ],
      observers: [
        { name: 'all', deliveries: [{ state: 'delivered' }] },
        {
          name: 'odd',
          deliveries: [
            {
              state: 'quarantined',
              why: `unrecordable: what became of it could not be recorded: the row is too large (dlq show ${id})`,
              next: `dlq retry ${id}`,
            },
          ],
        },
      ],
    },
  ]);
});

test('what was replayed to an observer whose condition is not met is told with the condition', async () => {
  await start(`${LOG}
  - { name: big, entity: Order, when: "total > 100", actions: [{ type: log, name: say }] }`);
  await insert(5);
  await untilRows(database, 'select from observers.attempt', 1);
  await until(async () => (await why(5)).behind === null);
  await database.query("update observers.attempt set observer = 'big'");
  expect((await why(5, '--observer', 'big')).changes).toMatchObject([
    {
      observers: [
        {
          why: 'the condition is not met: total > 100 is false (total = 10); what is on record was sent all the same, by another version or a replay',
          deliveries: [{ state: 'delivered' }],
        },
      ],
    },
  ]);
});

test('one that was an event by a larger limit shows what was sent then', async () => {
  await start(LOG);
  await database.query("insert into orders values (6, 1, repeat('x', 200000))");
  await untilRows(database, 'select from observers.attempt', 1);
  await until(async () => (await why(6)).behind === null);
  await service!.stop();
  service = null;
  program = programOn(database, fileOf(LOG), { OBSERVERS_MAX_EVENT_SIZE: '100KiB' });
  expect((await why(6)).changes).toMatchObject([
    {
      state: 'processed',
      why: containing('today it would be no event: too_large'),
      observers: [{ name: 'all', verdict: 'not known', deliveries: [{ action: 'say', state: 'delivered' }] }],
    },
  ]);
  expect(await text(6)).toMatch(
    /\n {2}processed: .*: too_large: .*\n {2}\? all: what it made of the event cannot be asked again; .*\n {4}✓ all\/say: delivered, /,
  );
});

test('with the service stopped a change waits, how far behind is said, and that the service is to be started', async () => {
  await start(LOG);
  await service!.stop();
  service = null;
  await insert(5);
  await insert(6);
  const answer = await why(5);
  expect(answer).toMatchObject({ behind: { changes: 2, led: false }, next: 'start' });
  expect(answer.changes).toMatchObject([{ state: 'waiting', observers: [{ deliveries: [{ state: 'not begun' }] }] }]);
  expect(await text(5)).toMatch(/\nThe stream is 2 changes behind, the oldest written \S+ s ago, and no service leads it\.\n/);
});

test('a checkpoint that was moved past a change, a version that had other observers, a change from before', async () => {
  await start(LOG);
  await service!.stop();
  service = null;
  await insert(5);
  expect(await program.run(['checkpoint', 'reset', '--to', 'now', '--reason', 'a flood', '--yes'])).toMatchObject({ code: 0 });
  const passed = await why(5);
  expect(passed.changes).toMatchObject([{ state: 'passed over', why: containing('(a flood)') }]);
  expect(passed.next).toBe('replay --observer all --event 1 --dry-run');
  await start(`
  - { name: other, entity: Order, actions: [{ type: log, name: say }] }`);
  await insert(6);
  await untilRows(database, 'select from observers.attempt', 1);
  await service!.stop();
  await start(LOG);
  const older = await why(6);
  expect(older.changes).toMatchObject([{ version: 2, observers: [{ name: 'other', deliveries: [{ state: 'delivered' }] }] }]);
  expect(await text(6, '--observer', 'all')).toContain('\n  version 2 has no observer all\n');
  await database.query(
    "alter table core.tb_entity_change_log disable trigger observers_force; insert into core.tb_entity_change_log (object_type, object_key, modification_type, change_xid) values ('Order', '7', 'INSERT', null); alter table core.tb_entity_change_log enable always trigger observers_force",
  );
  expect((await why(7)).changes).toMatchObject([
    {
      state: 'history',
      why: containing('no observer has ever been asked about it'),
      observers: [{ deliveries: [{ state: 'not begun', why: 'nobody was asked: it was written before this product watched the table' }] }],
      next: null,
    },
  ]);
});

test('where there is no change: an entity that nobody knows, a table instead of it, one that is not captured', async () => {
  await start(LOG);
  const named = (entity: string): Promise<EntityAnswer> => program.json(['why', '--entity', entity, '--key', '5']);
  expect(await named('order')).toMatchObject({
    changes: [],
    absences: [{ reason: 'unknown entity', certain: true, why: 'version 1, which runs, knows no entity order; did you mean "Order"?' }],
    next: 'why --entity Order --key 5',
  });
  expect(await named('public.orders')).toMatchObject({
    absences: [{ reason: 'unknown entity', why: 'public.orders is a table; its rows are called Order' }],
    next: 'why --entity Order --key 5',
  });
  expect(await named('Nothing like it')).toMatchObject({
    absences: [{ reason: 'unknown entity', why: 'version 1, which runs, knows no entity Nothing like it; it has Order' }],
    next: null,
  });
  program.write(fileOf(LOG, `${CAPTURE}, { table: public.customers, entity: Customer }`));
  expect(await named('Customer')).toMatchObject({
    absences: [{ reason: 'not running', why: containing('version 1, which runs, does not: reload the service') }],
    next: 'config diff',
  });
  expect((await program.run(['why', '--entity', 'order', '--key', '5'])).out).toBe(
    'order 5: the log has no change of it\n- version 1, which runs, knows no entity order; did you mean "Order"?\n\n→ fraiseql-observers why --entity Order --key 5\n',
  );
});

test('where there is no change: triggers that are missing, switched off, or cannot be made', async () => {
  await start(LOG);
  await service!.stop();
  service = null;
  const [trigger] = await database.query<{ name: string }>(
    "select tgname::text as name from pg_trigger where tgrelid = 'orders'::regclass and tgname like '%capture%insert%'",
  );
  await database.query(`alter table orders disable trigger "${trigger!.name}"`);
  await insert(5);
  const off = await why(5);
  expect(reasons(off)[0]).toBe('capture differs');
  expect(off.absences[0]!.why).toMatch(/^public\.orders is not captured as the file asks: .* writes go by unseen/);
  expect(off.next).toBe('capture apply');
  // What is there may not be all.
  await database.query('update orders set total = 11 where id = 5');
  const doubtful = await why(5);
  expect([doubtful.changes.length, reasons(doubtful)]).toEqual([1, ['capture differs']]);
  expect(await text(5)).toMatch(/\nWhat came after may be missing here:\n- public\.orders is not captured as the file asks/);
  expect(await program.run(['capture', 'remove', 'public.orders', '--yes'])).toMatchObject({ code: 0 });
  expect(await why(6)).toMatchObject({
    absences: [{ reason: 'not captured', certain: true, why: 'public.orders has no triggers: its writes are not recorded' }],
    next: 'capture apply',
  });
  await database.query('drop table orders');
  expect(await why(6)).toMatchObject({ absences: [{ reason: 'capture impossible', certain: true }], next: 'capture check' });
});

test('where there is no change: a condition of the capture, a role that writes muted, a row from before, with what sends it', async () => {
  await insert(5, 1);
  await start(LOG, `{ table: public.orders, entity: Order, when: "total > 5" }`);
  await insert(6, 1);
  const answer = await why(6);
  expect(answer.absences).toMatchObject([
    { reason: 'before capture', certain: false, why: matching(/^it was written before public\.orders was captured as it is, at \S+Z/) },
    { reason: 'capture condition', certain: false, why: containing('records only rows for which (total > 5) holds') },
    { reason: 'muted', certain: false, why: containing('observers.mute or fraiseql.cdc_mediated') },
  ]);
  expect(answer.next).toBe("backfill run public.orders --observer all --where 'id = 6' --dry-run");
  // The command does what it says.
  expect(await program.run(['backfill', 'run', 'public.orders', '--observer', 'all', '--where', 'id = 6', '--dry-run'])).toMatchObject({ code: 0 }); // prettier-ignore
  // Of a key that no row can have, none.
  expect((await why('abc')).next).toBeNull();
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`alter database ${name} set observers.mute = 'on'`);
  expect((await why(6)).absences[0]).toMatchObject({
    reason: 'muted',
    certain: true,
    why: `the database ${name} has observers.mute = on: what is written so leaves no change (alter database ${name} reset observers.mute)`,
  });
});

test('where there is no change: one in quarantine without its key, a TRUNCATE, what the log no longer keeps', async () => {
  await start(`
  - { name: dead, entity: Order, retry: { max_attempts: 1 }, actions: [${to('/400')}] }`);
  await insert(4);
  await untilRows(database, 'select from observers.dead_letter', 1);
  await insert(3);
  await database.query('truncate orders');
  await database.query(
    `insert into core.tb_entity_change_log (object_type, modification_type, extra_metadata) values ('Order', 'INSERT', '{"capture_error": "a column is gone"}')`,
  );
  const [{ id }] = await untilRows<{ id: string }>(database, 'select l.id from observers.quarantine q join core.tb_entity_change_log l on l.pk_entity_change_log = q.change_number', 1) as [{ id: string }]; // prettier-ignore
  const answer = await why(5);
  expect(answer.absences.slice(0, 2)).toMatchObject([
    { reason: 'quarantined', certain: false, why: 'a change without a key is in quarantine (capture_error): it may be of Order 5', next: `dlq show ${id}` },
    { reason: 'truncated', certain: false, why: matching(/^a TRUNCATE at \S+Z removed all rows: that is one change, 3, and it has no key$/) },
  ]); // prettier-ignore
  expect(answer.next).toBe(`dlq show ${id}`);
  await database.query("update observers.dead_letter set resolved_at = now(), resolution = 'discarded'");
  await database.query("delete from core.tb_entity_change_log where object_key = '4'");
  expect(await why(4)).toMatchObject({
    absences: [
      {
        reason: 'removed',
        certain: true,
        why: matching(
          /^its changes are removed: a dead letter of it is on record, the last of \S+Z \(the log keeps 7 d, OBSERVERS_RETENTION\)$/,
        ),
      },
    ],
    next: null,
  });
  expect(reasons(await why(5))).toContain('removed');
});

test('keys are found as the log writes them, and near ones are named: of several columns, zeros, capitals', async () => {
  await database.query('create table stock (house text, sku int, id uuid, primary key (house, sku)); create table things (id uuid primary key)'); // prettier-ignore
  await start(LOG, `${CAPTURE}, { table: public.stock, entity: Stock }, { table: public.things, entity: Thing }`);
  await database.query("insert into stock values ('berlin', 7); insert into things values ('0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f')");
  await insert(5);
  const of = (entity: string, key: string): Promise<EntityAnswer> => program.json(['why', '--entity', entity, '--key', key]);
  for (const key of ['["berlin", 7]', '["berlin",7]', '[ "berlin" , 7 ]'])
    expect(await of('Stock', key)).toMatchObject({ key: '["berlin", 7]', changes: [{ recorded: { entityKey: '["berlin", 7]' } }] });
  for (const key of ['berlin,7', 'berlin/7', '(berlin, 7)'])
    expect(await of('Stock', key)).toMatchObject({
      absences: [{ reason: 'other spelling', certain: true }],
      next: `why --entity Stock --key '["berlin", 7]'`,
    });
  expect((await of('Stock', '7')).absences).toContainEqual(
    expect.objectContaining({
      reason: 'other spelling',
      certain: false,
      why: containing('a JSON array of house, sku'),
    }),
  );
  expect(await of('Order', '005')).toMatchObject({ absences: [{ reason: 'other spelling' }], next: 'why --entity Order --key 5' });
  expect(await of('Thing', '0198C1D2-7A3B-7C4D-8E5F-6A7B8C9D0E1F')).toMatchObject({
    next: 'why --entity Thing --key 0198c1d2-7a3b-7c4d-8e5f-6a7b8c9d0e1f',
  });
});

test('before the first service, and without a file, it says what it cannot know; who is unknown is told the nearest', async () => {
  await database.capture('public.orders', { entity: 'Order' });
  program.write(fileOf(LOG));
  expect(await why(5)).toMatchObject({ changes: [], absences: expect.arrayContaining([containingReason('muted')]) as unknown });
  await insert(5);
  expect(await why(5)).toMatchObject({
    changes: [{ state: 'waiting', version: null, notes: ['no service has led this stream yet: there is no configuration to explain by'] }],
    next: 'start',
  });
  expect(await program.run(['why', '--entity', 'Order', '--key', '5', '--observer', 'al'])).toMatchObject({
    code: 5,
    err: containing('there is no observer "al"; did you mean "all"?'),
  });
  expect(await program.run(['why', '--entity', 'Order'])).toMatchObject({ code: 1, err: containing('say which entity, by its type and its key') }); // prettier-ignore
  program.write('version: [');
  expect(await program.run(['why', '--entity', 'Order', '--key', '5'])).toMatchObject({ code: 2 });
});

const containingReason = (reason: string): unknown => expect.objectContaining({ reason });
