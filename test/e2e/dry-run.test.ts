import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObserverTrial } from '../../src/dry-run/trial';
import type { PreviewReport } from '../../src/dry-run/report';
import type { Service } from '../../src/lifecycle/start-service';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startReceiver, type Receiver } from '../support/receiver';
import { fingerprint, programOn, type Program } from '../support/redrive';
import { startTestService } from '../support/service';
import { containing } from '../support/texts';
import { atLeast, eventually, untilLeading, untilRows } from '../support/until';

let database: TestDatabase;
let receiver: Receiver;
let program: Program;
let service: Service | null = null;
const folder = mkdtempSync(join(tmpdir(), 'observers-dry-run-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SECRETS = { TOKEN: 'CANARY-token', KEY: 'k7' };

const fileOf = (when: string, mode = 'live'): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints:
  shop: { url: "${receiver.url}/\${TOKEN}/{{ entity.key }}?k=\${KEY}", headers: { authorization: "Bearer \${TOKEN}" }, allow_addresses: [loopback], signing: { secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] } }
lookups: { customer: { url: "${receiver.url}/customers/{{ data.id }}?k=\${TOKEN}", allow_addresses: [loopback] } }
observers:
  - name: big
    mode: ${mode}
    entity: Order
    when: "${when} AND note <> '\${TOKEN}'"
    actions:
      - { name: hook, type: webhook, endpoint: shop, body: { id: "{{ data.id }}", who: "{{ customer.name }}", key: "\${TOKEN}" } }
      - { name: write, type: database, function: public.handle }
  - { name: gold, entity: Order, lookups: [customer], when: "lookups.customer.plan = 'gold'", actions: [{ name: hook, type: webhook, endpoint: shop, body: { plan: "{{ lookups.customer.plan }}" } }] }
  - { name: other, entity: Customer, actions: [{ type: log }] }
`;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver(({ path }, response) => {
    if (path.startsWith('/customers/'))
      return void response.writeHead(200).end(path.includes('/1') ? '{"plan":"gold"}' : '{"plan":"free"}');
    return void response.writeHead(204).end();
  });
  await database.query('create table public.orders (id int primary key, note text, total numeric)');
  await database.query('create table public.got (event jsonb); grant insert on public.got to observers_service');
  await database.query(
    'create function public.handle(event jsonb) returns void language sql as $$ insert into public.got values (event) $$',
  );
  program = programOn(database, fileOf('total > 100'), SECRETS);
});

afterEach(async () => {
  await service?.stop();
  service = null;
  program.remove();
  await receiver.close();
  await database.drop();
});

const start = async (file: string): Promise<void> => {
  service = await startTestService(database.url, { file, env: SECRETS });
  await untilLeading(service.streams.main);
};
const insert = (id: number, total: number): Promise<unknown> => database.query("insert into orders values ($1, 'a', $2)", [id, total]);
const attempted = (count: number): Promise<unknown> => untilRows(database, 'select from observers.attempt', atLeast(count));

interface Trial {
  readonly observers: readonly ObserverTrial[];
  readonly notes: readonly string[];
  readonly sent:
    | readonly {
        readonly observer: string;
        readonly action: string;
        readonly id: string;
        readonly ok: boolean;
        readonly message: string | null;
      }[]
    | null;
}
const EVENT = { entity: 'Order', kind: 'insert', data: { id: 1, note: 'a', total: 150 } };

describe('test-event', () => {
  const fileWith = (event: object): string => {
    writeFileSync(join(folder, 'event.json'), JSON.stringify(event));
    return join(folder, 'event.json');
  };

  test('--sample prints an event that it takes, without a database and without secrets', async () => {
    const bare = programOn({ ...database, url: '' }, fileOf('total > 100'));
    const { out } = await bare.run(['test-event', '--sample']);
    const { observers, notes } = await bare.json<Trial>(['test-event', '--file', fileWith(JSON.parse(out) as object)]);
    expect(observers.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['big', 'condition not met'],
      ['gold', 'undecided'],
      ['other', 'other entity'],
    ]);
    expect(notes).toEqual(['not set here, and shown as it is written: TOKEN, KEY']);
    bare.remove();
  });

  test('shows the verdicts, the condition, the look-ups that would be asked and what would be sent, and sends nothing', async () => {
    const before = await fingerprint(database);
    const { observers, sent } = await program.json<Trial>(['test-event', '--file', fileWith(EVENT)]);
    const [big, gold] = observers as [ObserverTrial, ObserverTrial];
    expect(big).toMatchObject({ verdict: 'matched', condition: { text: "total > 100 AND note <> '${TOKEN}'", value: 'true' } });
    expect(big.deliveries).toMatchObject([
      {
        action: 'hook',
        missing: ['customer.name'],
        content: {
          type: 'http',
          method: 'POST',
          url: `${receiver.url}/\${TOKEN}/1?k=\${KEY}`,
          body: '{"id":"1","who":"","key":"${TOKEN}"}',
        },
      },
      { action: 'write', content: { type: 'database', function: 'public.handle' } },
    ]);
    const [hook] = big.deliveries;
    const headers = hook?.content?.type === 'http' ? hook.content.headers : [];
    expect(headers).toContainEqual(['authorization', 'Bearer ${TOKEN}']);
    expect(headers).toContainEqual(['webhook-signature', '(signed when sent)']);
    expect(gold).toMatchObject({
      verdict: 'undecided',
      lookups: [{ name: 'customer', state: 'not asked', url: `${receiver.url}/customers/1?k=\${TOKEN}` }],
      deliveries: [{ missing: [], fromLookups: ['lookups.customer.plan'] }],
    });
    expect(sent).toBeNull();
    expect(receiver.requests).toEqual([]);
    expect(await fingerprint(database)).toEqual(before);
  });

  test('--with-lookups asks them, and decides', async () => {
    const { observers } = await program.json<Trial>(['test-event', '--file', fileWith(EVENT), '--observer', 'gold', '--with-lookups']);
    expect(observers).toMatchObject([
      { name: 'gold', verdict: 'matched', lookups: [{ state: 'found', found: { plan: 'gold' } }], deliveries: [{ fromLookups: [] }] },
    ]);
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/customers/1?k=CANARY-token']);
  });

  test('--send asks first; with --yes it sends once, marked, under another id than the real one, and records nothing', async () => {
    await start(fileOf('total > 100'));
    await insert(2, 150);
    await attempted(3);
    const before = await fingerprint(database);
    const args = ['test-event', '--event-id', '1', '--observer', 'big', '--observer', 'gold', '--send'];
    const asked = await program.run(args);
    expect(asked).toMatchObject({ code: 1, err: containing('no terminal to ask on') });
    const sentSoFar = receiver.requests.length;
    const { sent } = await program.json<Trial>([...args, '--yes']);
    expect(sent).toMatchObject([
      { observer: 'big', action: 'hook', ok: true },
      { observer: 'big', action: 'write', ok: true },
    ]);
    const tests = receiver.requests.slice(sentSoFar).filter(({ path }) => !path.startsWith('/customers'));
    expect(tests).toHaveLength(1);
    expect(tests[0]?.headers).toMatchObject({ 'observers-test': 'true', 'webhook-id': sent![0]!.id });
    const real = receiver.requests.find(({ path }) => path.startsWith('/CANARY'));
    expect(real?.headers['webhook-id']).not.toBe(sent![0]!.id);
    expect([real?.path, real?.body]).toEqual([tests[0]?.path, tests[0]?.body]);
    expect(await database.query('select from public.got')).toHaveLength(2);
    const now = await fingerprint(database);
    // The service goes on with its heartbeat.
    for (const table of ['observers.attempt', 'observers.dead_letter', 'observers.pending_delivery', 'core.tb_entity_change_log'])
      expect([table, now[table]]).toEqual([table, before[table]]);
  });

  test('an outcome that is none is told with its error, and the command fails; the guard of addresses holds', async () => {
    program.write(fileOf('total > 100').replace(/, allow_addresses: \[loopback\], signing/, ', signing'));
    const { code, out } = await program.run(['test-event', '--file', fileWith(EVENT), '--observer', 'big', '--send', '--yes']);
    expect(code).toBe(1);
    expect(out).toMatch(/failed {2}big\/hook {2}blocked_address/);
    expect(out).toMatch(/sent {2}big\/write/);
    expect(receiver.requests).toEqual([]);
  });

  test('an observer in shadow is never sent by it', async () => {
    program.write(fileOf('total > 100', 'shadow'));
    const { out, code } = await program.run(['test-event', '--file', fileWith(EVENT), '--observer', 'big', '--send', '--yes']);
    expect([code, out]).toEqual([0, containing('nothing was sent: no live observer matches')]);
    expect(receiver.requests).toEqual([]);
  });

  test('what is no event, no observer or no question is told', async () => {
    expect(await program.run(['test-event'])).toMatchObject({ code: 1, err: containing('say which event') });
    expect(await program.run(['test-event', '--event-id', '99'])).toMatchObject({ code: 5 });
    expect(await program.run(['test-event', '--file', fileWith({ a: 1 })])).toMatchObject({ code: 4, err: containing('holds no event') });
    expect(await program.run(['test-event', '--file', fileWith(EVENT), '--observer', 'nobody'])).toMatchObject({
      code: 5,
      err: containing('There are: big, gold, other.'),
    });
  });
});

test('config preview compares a file with the running version, and sends and writes nothing', async () => {
  await start(fileOf('total > 100'));
  await insert(1, 150);
  await insert(2, 50);
  await attempted(4);
  await service?.stop();
  service = null;
  const [before, sent] = [await fingerprint(database), receiver.requests.length];
  program.write(fileOf('total < 100'));
  const result = await program.json<PreviewReport & { readonly version: number }>(['config', 'preview', '--since', '1h']);
  expect(result).toMatchObject({ events: 2, version: 1 });
  const [big] = result.observers;
  expect(big).toMatchObject({
    name: 'big',
    is: 'kept',
    matched: 1,
    difference: { newlyMatched: { count: 1 }, noLongerMatched: { count: 1 } },
  });
  expect(big?.sample?.deliveries[0]?.content).toMatchObject({ url: `${receiver.url}/\${TOKEN}/2?k=\${KEY}` });
  expect(result.observers[1]).toMatchObject({ name: 'gold', undecided: 2, lookups: ['customer'] });
  const { out, err } = await program.run(['config', 'preview', '--limit', '1']);
  expect(out).toMatch(/^events +1, .*\nfile +observers\.yaml, compared with version 1, which runs\n/);
  expect(out).toMatch(/\+1 newly matched/);
  expect(out).toMatch(/nothing was sent\n$/);
  expect(err).toMatch(/^1 of 1 events\n$/);
  expect(receiver.requests).toHaveLength(sent);
  expect(await fingerprint(database)).toEqual(before);
});

test('without a running version, or a secret at hand, a preview says so and goes on', async () => {
  await database.capture('public.orders');
  await insert(1, 150);
  const bare = programOn(database, fileOf('total > 100'));
  const { notes, observers } = await bare.json<PreviewReport & Trial>(['config', 'preview']);
  expect(notes).toEqual([containing('TOKEN, KEY'), containing('no service has led this stream yet')]);
  expect(observers[0]).toMatchObject({
    matched: 1,
    difference: null,
    sample: { deliveries: [{ content: { url: `${receiver.url}/\${TOKEN}/1?k=\${KEY}` } }, {}] },
  });
  bare.remove();
});

test('a shadow observer is seen by debug-event, audit verify and the metrics; replay refuses it', async () => {
  const file = fileOf('total > 100', 'shadow');
  program.write(file);
  await start(file);
  await insert(2, 150);
  await attempted(3);
  await eventually(
    () => program.json<{ shadow: number; unaccounted: number }>(['audit', 'verify']),
    ({ shadow, unaccounted }) => shadow === 2 && unaccounted === 0,
  );
  expect((await program.run(['audit', 'verify'])).out).toMatch(/^shadow +2 {3}of observers in shadow/m);
  const { out } = await program.run(['debug-event', '--event-id', '1', '--render']);
  expect(out).toMatch(
    /→ hook \(webhook\): shadow, nothing was sent: it would have sent POST to 127\.0\.0\.1:\d+, 40 bytes, sha256 [\da-f]{64}; 1 of/,
  );
  expect(out).toContain('POST http://127.0.0.1:' + receiver.port + '/${TOKEN}/2?k=${KEY}');
  expect(out).toContain("note <> '${TOKEN}'");
  expect(out).toContain('the same payload as is on record (sha256)');
  const explained = await program.json<{ observers: { deliveries: { state: string; rendering: { content: unknown } }[] }[] }>([
    'debug-event',
    '--event-id',
    '1',
    '--render',
  ]);
  expect(explained.observers[0]?.deliveries).toMatchObject([
    { state: 'shadow', rendering: { content: { type: 'http' } } },
    { state: 'shadow', rendering: { content: { type: 'database' } } },
  ]);
  const metrics = await (await fetch(`http://${service!.address}/metrics`)).text();
  expect(metrics).toMatch(/observer_actions_executed_total\{observer="big",action_type="webhook",outcome="shadow"[^}]*\} 1/);
  expect(metrics).not.toMatch(/observer_actions_failed_total\{.*\} [1-9]/);
  expect(await program.run(['replay', '--observer', 'big', '--after', '1h', '--dry-run'])).toMatchObject({
    code: 1,
    err: containing('is in shadow'),
  });
  expect(receiver.requests.filter(({ path }) => !path.startsWith('/customers'))).toEqual([]);
});
