import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { readStatus } from '../../src/status/status.sql';
import { createTestDatabase, onServer, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { startTestService, type TestService } from '../support/service';
import { eventually } from '../support/until';

const producer = `observers_test_producer_${randomBytes(4).toString('hex')}`;
let database: TestDatabase;
let receiver: Receiver;
let service: TestService;
let application: Client;

beforeEach(async () => {
  database = await createTestDatabase();
  // An adopted table may have no index that refuses a long key.
  await database.query('drop index if exists core.tb_entity_change_log_entity');
  receiver = await startReceiver();
  await onServer((server) => server.query(`create role ${producer} login password 'secret'`));
  // What an application that writes its own change rows has.
  await database.query(`grant usage on schema core to ${producer}; grant insert on core.tb_entity_change_log to ${producer}`);
  const url = new URL(database.url);
  [url.username, url.password] = [producer, 'secret'];
  application = new Client({ connectionString: url.toString() });
  await application.connect();
  service = await startTestService(database.url, { file: file(receiver.url) });
});

afterEach(async () => {
  await service.stop();
  await receiver.close();
  await application.end();
  await database.drop();
  await onServer((server) => server.query(`drop role ${producer}`));
});

// Its condition looks into the data, and its template into all the rest.
const file = (url: string): string => `version: 1
observers:
  - name: all
    entity: "*"
    when: "total IS NULL OR total > 0"
    retry: { max_attempts: 2, initial_delay: 20ms }
    actions:
      - { type: webhook, url: "${url}/hook", allow_addresses: [loopback] }
`;

/** The row, but for what is said. */
const insert = (columns: Readonly<Record<string, string>>): Promise<unknown> => {
  const row = {
    object_type: "'Order'",
    object_key: "'1'",
    modification_type: "'INSERT'",
    object_data: `'{"id": 1, "total": 5}'`,
    ...columns,
  };
  return application.query(
    `insert into core.tb_entity_change_log (${Object.keys(row).join(', ')}) values (${Object.values(row).join(', ')})`,
  );
};

const LARGE = 30_000_000;
/** Each with what becomes of it: delivered once, or in quarantine for a reason. */
const HOSTILE: readonly (readonly [what: string, columns: Readonly<Record<string, string>>, outcome: string])[] = [
  ['a transaction of the far future', { change_xid: "'4611686018427387904'" }, 'delivered'],
  ['a transaction of the past', { change_xid: "'3'" }, 'delivered'],
  ['no transaction', { change_xid: 'null' }, 'delivered'],
  ['the largest number', { pk_entity_change_log: '9223372036854775807' }, 'delivered'],
  ['a number that a later change will have', { pk_entity_change_log: '50' }, 'delivered'],
  ['a negative number', { pk_entity_change_log: '-5' }, 'delivered'],
  ['no entity', { object_type: "''" }, 'undecodable'],
  ['an entity of 30 MB', { object_type: `repeat('x', ${LARGE})` }, 'too_large'],
  ['an entity with line breaks and quotes', { object_type: `E'a\\n"b''\\\\'` }, 'delivered'],
  ['a key of 30 MB', { object_key: `repeat('x', ${LARGE})` }, 'too_large'],
  ['no key', { object_key: 'null' }, 'delivered'],
  ['a key with control characters', { object_key: `E'\\u0001\\u202e\\n'` }, 'delivered'],
  ['a verb that is none', { modification_type: "'__proto__'" }, 'unknown_verb'],
  ['a verb of 30 MB', { modification_type: `repeat('x', ${LARGE})` }, 'too_large'],
  ['an eternal time', { created_at: "'infinity'" }, 'delivered'],
  ['a time before all time', { created_at: "'-infinity'" }, 'delivered'],
  ['the last year', { created_at: "'294276-12-31'" }, 'delivered'],
  ['a time before Christ', { created_at: "'4000-01-01 BC'" }, 'delivered'],
  ['a trace that is none', { trace_context: `'{"traceparent": {"a": 1}, "tracestate": [], "cause": "☃"}'` }, 'delivered'],
  ['a trace that is no object', { trace_context: `'[1, "x"]'` }, 'delivered'],
  ['a cause of 30 MB', { trace_context: `jsonb_build_object('cause', repeat('x', ${LARGE}))` }, 'too_large'],
  ['metadata of 30 MB', { extra_metadata: `jsonb_build_object('x', repeat('x', ${LARGE}))` }, 'too_large'],
  ['metadata that is a string', { extra_metadata: `'"capture_error"'` }, 'delivered'],
  ['fields without names', { updated_fields: "array['a', null]" }, 'undecodable'],
  ['fields in two dimensions', { updated_fields: "array[['a', 'b'], ['c', 'd']]" }, 'undecodable'],
  ['data that is an array', { object_data: "'[1, 2]'" }, 'delivered'],
  ['data that is a string', { object_data: `'"x"'` }, 'delivered'],
  ['data that is null', { object_data: "'null'" }, 'delivered'],
  ['data that is a NUL character', { object_data: `'{"a": "\\u0000"}'` }, 'delivered'],
  ['data that is half a character', { object_data: `'{"a": "\\ud800"}'` }, 'delivered'],
  ['a number of a million digits', { object_data: `('{"total": ' || repeat('9', 1000000) || '}')::json` }, 'delivered'],
  ['a number with a great exponent', { object_data: `'{"total": 1e999999999}'` }, 'delivered'],
  ['a key that is a prototype', { object_data: `'{"__proto__": {"total": 1}, "constructor": 1}'` }, 'delivered'],
  ['documents 5,000 deep', { object_data: `(repeat('[', 5000) || repeat(']', 5000))::json` }, 'delivered'],
  ['a great sequence', { seq: '9223372036854775807', duration_ms: '-2147483648', schema_version: "repeat('x', 100000)" }, 'delivered'],
];

test('nothing that an application may insert crashes the service, holds it up, or is delivered for ever', async () => {
  const outcomes = new Map<string, string>();
  for (const [what, columns] of HOSTILE) {
    await insert(columns);
    const [{ number } = { number: '' }] = await database.query<{ number: string }>(
      'select pk_entity_change_log::text as number from core.tb_entity_change_log order by ctid desc limit 1',
    );
    const told = `select (select string_agg(outcome, ',') from observers.attempt where change_number = $1) as attempts,
        (select reason from observers.quarantine where change_number = $1) as reason,
        (select error from observers.dead_letter where change_number = $1) as dead`;
    const ask = () => database.query<{ attempts: string | null; reason: string | null; dead: string | null }>(told, [number]);
    const [{ attempts, reason, dead }] = (await eventually(
      ask,
      ([now]) => (now?.attempts ?? now?.reason ?? now?.dead ?? null) !== null,
    )) as [Awaited<ReturnType<typeof ask>>[0]];
    outcomes.set(what, reason ?? dead ?? (attempts === 'succeeded' ? 'delivered' : String(attempts)));
  }
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(HOSTILE.map(([what, , outcome]) => [what, outcome])));

  // A good row goes on, each was delivered once, and the numbers follow one another.
  await insert({ object_key: "'the last'" });
  const delivered = [...outcomes.values()].filter((outcome) => outcome === 'delivered').length;
  await receiver.waitFor(delivered + 1);
  await eventually(
    () => readStatus(database.client, 'default'),
    ({ lag, queued, running }) => lag.events + queued + running === 0,
  );
  expect(receiver.requests).toHaveLength(delivered + 1);
  const numbers = await database.query<{ n: string }>(
    'select pk_entity_change_log::text as n from core.tb_entity_change_log order by pk_entity_change_log',
  );
  expect(Number(numbers.at(-1)?.n)).toBeLessThan(2 * HOSTILE.length);
});
