import { MemoryCache } from '../../../src/cache/memory-cache';
import pino from 'pino';
import { Clock } from '../../../src/event/clock';
import type { LookupDefinition } from '../../../src/event/definitions';
import type { EntityEvent } from '../../../src/event/entity-event';
import { JsonDocument, stringifyExactJson } from '../../../src/event/json-document';
import { Lookups, type Enriched } from '../../../src/lookups/lookups';
import { startReceiver, type Receiver } from '../../support/receiver';
import { endpointOf } from '../../support/stream';
import { orderEvent } from '../matching/order-event';

class TestClock extends Clock {
  at = 0;
  now(): number {
    return this.at;
  }
  monotonic(): number {
    return this.at;
  }
}

let crm: Receiver;
let clock: TestClock;
let lookups: Lookups;
let lines: string[];

beforeEach(async () => {
  crm = await startReceiver((_request, response) => void response.writeHead(200).end('{"plan":"gold","points":12345678901234567890.5}'));
  clock = new TestClock();
  lines = [];
  lookups = new Lookups(new MemoryCache(clock), clock, pino({}, { write: (line) => void lines.push(line) }), { lookedUp: () => undefined });
});

afterEach(async () => {
  await lookups.close();
  await crm.close();
});

const customer = (changed: Partial<LookupDefinition> = {}, path = '/customers/{{ data.customer }}'): LookupDefinition => ({
  name: 'customer',
  endpoint: endpointOf(`${crm.url}${path}`, { timeout: 2_000 }),
  ttl: 1_000,
  staleFor: 0,
  ...changed,
});
const order = (data: string): EntityEvent => ({ ...orderEvent('{}'), data: new JsonDocument(data) });
const ALICE = '{"customer":"alice"}';
const found = async (enriched: Enriched | Promise<Enriched>): Promise<string> => {
  const result = await enriched;
  return 'error' in result ? `${result.error}: ${result.message}` : stringifyExactJson(result.event.lookups);
};
const GOLD = '{"customer":{"plan":"gold","points":12345678901234567890.5}}';
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('an answer is there at once until its time is over, with all digits', async () => {
  const definition = customer();
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe(GOLD);
  clock.at = 999;
  expect(lookups.enrich(order(ALICE), [definition])).not.toBeInstanceOf(Promise);
  clock.at = 1_000;
  const again = lookups.enrich(order(ALICE), [definition]);
  expect(again).toBeInstanceOf(Promise);
  expect(await found(again)).toBe(GOLD);
  expect(crm.requests.map(({ path }) => path)).toEqual(['/customers/alice', '/customers/alice']);
});

test('the same question is asked once at a time', async () => {
  const definition = customer();
  const all = Array.from({ length: 100 }, () => found(lookups.enrich(order(ALICE), [definition])));
  expect(new Set(await Promise.all(all))).toEqual(new Set([GOLD]));
  expect(crm.requests).toHaveLength(1);
});

test('no more questions at once than its concurrency', async () => {
  let open = 0;
  let most = 0;
  crm.answer = (_request, response) => {
    most = Math.max(most, ++open);
    setTimeout(() => {
      open--;
      response.writeHead(200).end('1');
    }, 10);
  };
  const definition = { ...customer(), endpoint: endpointOf(`${crm.url}/customers/{{ data.customer }}`, { concurrency: 3 }) };
  await Promise.all(Array.from({ length: 30 }, (_, i) => found(lookups.enrich(order(`{"customer":${i}}`), [definition]))));
  expect([most, crm.requests.length]).toEqual([3, 30]);
});

test('404 is an answer too: there is nothing, and it is not asked again', async () => {
  crm.answer = (_request, response) => void response.writeHead(404).end('no such customer');
  const definition = customer();
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe('{}');
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe('{}');
  expect(crm.requests).toHaveLength(1);
});

test('an old answer goes on while one request asks for a new one', async () => {
  const definition = customer({ staleFor: 10_000 });
  await found(lookups.enrich(order(ALICE), [definition]));
  crm.answer = (_request, response) => void response.writeHead(200).end('{"plan":"blue"}');
  clock.at = 5_000;
  for (let i = 0; i < 10; i++) {
    const stale = lookups.enrich(order(ALICE), [definition]);
    expect(stale).not.toBeInstanceOf(Promise);
    expect(await found(stale)).toBe(GOLD);
  }
  await crm.waitFor(2);
  while ((await found(lookups.enrich(order(ALICE), [definition]))) === GOLD) await settled();
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe('{"customer":{"plan":"blue"}}');
  expect(crm.requests).toHaveLength(2);
});

test('a refresh that fails is told once a minute, and the old answer goes on until it is too old', async () => {
  const definition = customer({ staleFor: 10_000 });
  await found(lookups.enrich(order(ALICE), [definition]));
  crm.answer = (_request, response) => void response.writeHead(500).end('CANARY');
  clock.at = 5_000;
  for (let i = 2; i < 5; i++) {
    expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe(GOLD);
    await crm.waitFor(i);
    // Until the failed request is no longer under way.
    while (crm.requests.length === i && (await found(lookups.enrich(order(ALICE), [definition]))) === GOLD) await settled();
  }
  expect(lines.filter((line) => line.includes('the old answer is used for now'))).toHaveLength(1);
  expect(lines.join('')).not.toContain('CANARY');
  clock.at = 11_000;
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe('lookup: lookup customer: the receiver answered 500');
});

test.each([
  ['{"customer":null}', null],
  ['{}', null],
  ['{"customer":"../admin?x=1#y"}', '/customers/..%2Fadmin%3Fx%3D1%23y'],
  ['{"customer":"a\\r\\nhost: evil"}', '/customers/a%0D%0Ahost%3A%20evil'],
])('of %s it asks for %j', async (data, path) => {
  const result = await found(lookups.enrich(order(data), [customer()]));
  expect(crm.requests.map((request) => request.path)).toEqual(path === null ? [] : [path]);
  expect(result).toBe(path === null ? '{}' : GOLD);
});

test('a value that would name another resource is a failure', async () => {
  expect(await found(lookups.enrich(order('{"customer":".."}'), [customer()]))).toContain('would name another resource');
  expect(crm.requests).toEqual([]);
});

test('headers are part of the question', async () => {
  const endpoint = endpointOf(`${crm.url}/me`, { headers: { Authorization: 'Bearer {{ data.customer }}' } });
  const definition = customer({ endpoint });
  await found(lookups.enrich(order(ALICE), [definition]));
  await found(lookups.enrich(order('{"customer":"bob"}'), [definition]));
  expect(crm.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer alice', 'Bearer bob']);
});

test.each<[string, Receiver['answer'], RegExp]>([
  ['not JSON', (_request, response) => void response.writeHead(200).end('<html>CANARY'), /the answer is not JSON/],
  ['not UTF-8', (_request, response) => void response.writeHead(200).end(Buffer.from([0x22, 0xff, 0x22])), /the answer is not JSON/],
  ['empty', (_request, response) => void response.writeHead(200).end(), /the answer is not JSON/],
  ['too long', (_request, response) => void response.writeHead(200).end(JSON.stringify('x'.repeat(70_000))), /longer than 64 KiB/],
  [
    'broken off',
    (_request, response) => void response.writeHead(200, { 'content-length': '100' }).write('{"a":', () => response.destroy()),
    /broke off/,
  ],
  ['a redirect', (_request, response) => void response.writeHead(302, { location: '/x' }).end(), /redirect/],
  ['forbidden', (_request, response) => void response.writeHead(403).end(), /answered 403/],
  ['never', () => undefined, /no answer within 2000 ms/],
  ['dripping', (_request, response) => void response.writeHead(200).write('['), /not whole within 2000 ms/],
])('an answer that is %s has failed, and is asked for again', async (_what, answer, message) => {
  crm.answer = answer;
  const definition = customer();
  const result = await found(lookups.enrich(order(ALICE), [definition]));
  expect(result).toMatch(message);
  expect(result).not.toContain('CANARY');
  crm.answer = (_request, response) => void response.writeHead(200).end('1');
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toBe('{"customer":1}');
});

test('no other address is asked than one that is allowed', async () => {
  const definition = customer({ endpoint: endpointOf(`${crm.url}/x`, { allowAddresses: [] }) });
  expect(await found(lookups.enrich(order(ALICE), [definition]))).toMatch(/^lookup: lookup customer: .*allow_addresses/);
  expect(crm.requests).toEqual([]);
});

test.each([
  ['empty', '{"customer":""}'],
  ['null', '{"customer":null}'],
  ['missing', '{}'],
])('where the value in the path is %s nothing is asked for: it would be another question', async (_what, row) => {
  expect(await found(lookups.enrich(order(row), [customer()]))).toBe('{}');
  expect(crm.requests).toEqual([]);
});

test('an empty value is asked for where the look-up says so, and an accept of its own is the only one', async () => {
  const definition = customer({}, '/größe/{{ data.customer | allow_empty }}');
  const endpoint = { ...definition.endpoint, headers: { Accept: 'application/vnd.crm+json' } };
  expect(await found(lookups.enrich(order('{"customer":""}'), [{ ...definition, endpoint }]))).toBe(GOLD);
  expect(crm.requests.map(({ path, headers }) => [path, headers['accept']])).toEqual([['/gr%C3%B6%C3%9Fe/', 'application/vnd.crm+json']]);
});
