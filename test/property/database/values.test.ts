import * as fc from 'fast-check';
import { Client } from 'pg';
import { compileCondition } from '../../../src/matching/condition/condition';
import { compileTemplate } from '../../../src/matching/template/template';
import { serverUrl } from '../../support/database';
import { orderEvent } from '../../unit/matching/order-event';

let client: Client;

beforeAll(async () => {
  client = new Client({ connectionString: serverUrl() });
  await client.connect();
});

afterAll(() => client.end());

const DATES = ['4713-01-01 BC', '0044-03-15 BC', '0001-12-31 BC', '0001-01-01', '1582-10-10', '1969-12-31', '1970-01-01', '2000-02-29', '2026-01-31', '2026-02-01', '9999-12-31', '10000-01-01', '294276-12-31']; // prettier-ignore
const CLOCKS = ['00:00:00', '00:00:00.000001', '02:30:00', '09:59:59.999999', '10:00:00', '10:00:00.1', '10:00:00.10001', '23:59:59.5'];
const ZONES = ['+00', '+02', '-05', '+05:30', '-09:30', '+14', '+00:19:32'];

const SPANS = ['0', '1 year', '-1 year', '1 mon', '-1 mon', '11 mons 29 days', '1 year -3 days', '29 days', '30 days', '-1 day', '1 day 02:00', '26:00', '-26:00', '-1 day +02:03:04.5', '-22:00', '-00:00:00.000001', '00:00:00.000001', '9:30', '250 ms', '90 minutes', '100000000:00:00', '178000000 years', '-178000000 years']; // prettier-ignore
const BC = / BC$/;
const instants = DATES.flatMap((date) => CLOCKS.map((clock) => `${date.replace(BC, '')} ${clock}${BC.exec(date)?.[0] ?? ''}`));

// What it is read as, and the number that PostgreSQL orders it by.
const TYPES: Readonly<Record<string, readonly [values: readonly string[], orderedBy: string]>> = {
  timestamptz: [[...sample(instants, 40), ...sample(instants, 30).map((text, i) => withZone(text, i)), 'infinity', '-infinity'], 'v'],
  timestamp: [[...sample(instants, 60), 'infinity', '-infinity'], 'v'],
  date: [[...DATES, '5874897-12-31', 'infinity', '-infinity'], 'v'],
  time: [[...CLOCKS, '24:00:00'], 'v'],
  timetz: [[...CLOCKS.flatMap((clock) => ZONES.map((zone) => clock + zone)), '24:00:00+00'], 'extract(epoch from v)'],
  interval: [SPANS, 'v'],
};

function sample(values: readonly string[], count: number): string[] {
  return values.filter((_, i) => i % Math.max(1, Math.floor(values.length / count)) === 0);
}

function withZone(text: string, i: number): string {
  return text.replace(/( BC)?$/, `${ZONES[i % ZONES.length] ?? ''}$1`);
}

describe.each(['UTC', 'America/New_York', 'Asia/Kolkata', 'Europe/Amsterdam'])('in a session of the zone %s', (zone) => {
  test.each(Object.entries(TYPES))('values of %s compare in conditions as in PostgreSQL', async (type, [values, orderedBy]) => {
    await client.query(`set timezone to '${zone}'`);
    const { rows } = await client.query<{ text: string; rank: string }>(
      `select to_json(v) #>> '{}' as text, dense_rank() over (order by ${orderedBy}) as rank from unnest($1::text[]) u, cast(u as ${type}) v`,
      [values],
    );
    const [less, equal, greater] = ['a < b', 'a = b', 'a > b'].map((source) => compileCondition(source));
    for (const a of rows) {
      const literal = compileCondition(`a >= '${a.text}'`);
      for (const b of rows) {
        const event = orderEvent(JSON.stringify({ a: a.text, b: b.text }));
        const order = Math.sign(Number(a.rank) - Number(b.rank));
        const found = [less, equal, greater].map((condition) => condition?.matches({ event, now: 0 }));
        expect([a.text, b.text, ...found]).toEqual([a.text, b.text, order < 0, order === 0, order > 0]);
        const beside = literal.matches({ event: orderEvent(JSON.stringify({ a: b.text })), now: 0 });
        expect([b.text, '>=', a.text, beside]).toEqual([b.text, '>=', a.text, order <= 0]);
      }
    }
  });
});

test('AGE and NOW() agree with PostgreSQL in every year', async () => {
  await client.query("set timezone to 'UTC'");
  const { rows } = await client.query<{ text: string; epoch: string }>(
    `select to_json(v) #>> '{}' as text, extract(epoch from v)::numeric * 1000 as epoch from unnest($1::timestamp[]) v`,
    [instants],
  );
  for (const { text, epoch } of rows) {
    const answer = compileCondition("at >= NOW() AND AGE(at) <= '0s'").matches({
      event: orderEvent(JSON.stringify({ at: text })),
      now: 1e12,
    });
    expect([text, answer]).toEqual([text, Number(epoch) >= 1e12]);
  }
});

const numeric = fc
  .tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.stringMatching(/^(\.[0-9]{1,12}|)$/))
  .map((parts) => parts.join(''));

test('numbers are written as PostgreSQL writes them, and computed with as it computes', async () => {
  const pairs = fc.sample(fc.tuple(numeric, numeric, fc.integer({ min: 0, max: 5 })), 300);
  const { rows } = await client.query<Record<string, string>>(
    `select jsonb_build_object('a', a, 'b', b) #>> '{}' as row, a::text as "a", (a + b)::text as "a | plus: b", (a - b)::text as "a | minus: b", (a * b)::text as "a | times: b",
       abs(a)::text as "a | abs", ceil(a)::text as "a | ceil", floor(a)::text as "a | floor", greatest(a, b)::text as "a | at_least: b", least(a, b)::text as "a | at_most: b",
       round(a, 2)::text as "a | round: 2", round(a, 0)::text as "a | round", round(a, -2)::text as "a | round: -2", a::numeric(50, 4)::text as "a | decimals: 4", (a + b + 5)::text as "list | sum"
     from unnest($1::numeric[], $2::numeric[]) as t(a, b)`,
    [pairs.map(([a]) => a), pairs.map(([, b]) => b)],
  );
  for (const { row = '', ...expected } of rows) {
    const { a, b } = /"a": (?<a>[^,}]+), "b": (?<b>[^,}]+)/.exec(row)?.groups ?? {};
    const event = orderEvent(`${row.slice(0, -1)}, "list": [${a ?? ''}, ${b ?? ''}, 5]}`);
    for (const [source, text] of Object.entries(expected))
      expect([row, source, compileTemplate(`{{ ${source} }}`, 'text').render(event).text]).toEqual([row, source, text]);
  }
});
