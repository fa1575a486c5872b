import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BARE, launch, MAIN, run } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { untilRows } from '../support/until';

const PORTS = '127.0.0.1:9';
const ENV = {
  REDIS_URL: `redis://user:CANARY-redis@${PORTS}`,
  NATS_URL: `nats://user:CANARY-nats@${PORTS}`,
  KAFKA_URL: `kafka://user:CANARY-kafka@${PORTS}`,
  RABBITMQ_URL: `amqp://user:CANARY-rabbit@${PORTS}`,
  SMTP_URL: `smtp://user:CANARY-smtp@${PORTS}`,
  OBSERVERS_MAIL_FROM: 'shop@example.com',
  OBSERVERS_SMS_URL: `http://AC1:CANARY-sms@${PORTS}`,
  OBSERVERS_SMS_FROM: '+15551234567',
  OBSERVERS_VAPID_PRIVATE_KEY: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }).d ?? '',
  OBSERVERS_VAPID_SUBJECT: 'mailto:push@example.com',
  TOKEN: 'CANARY-token',
  OBSERVERS_API_TOKENS: 'read:CANARY-api-read-0123,write:CANARY-api-write-0123',
  PROXY: `http://user:CANARY-proxy@${PORTS}`,
  SECRET: `whsec_${Buffer.from(`CANARY-${'x'.repeat(25)}`).toString('base64')}`,
};

let database: TestDatabase;
let receiver: Receiver;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id int primary key, note text)');
  // One that answers with all it was told, in every way, and so that the end of what is kept is in the middle of a secret.
  receiver = await startReceiver(({ path, headers }, response) => {
    const told = JSON.stringify({ path, headers });
    const ways = [told, encodeURIComponent(path), Buffer.from(told).toString('base64'), headers['authorization'] ?? path].join(' ');
    const room = 1024 - 10;
    response.writeHead(401).end(path.endsWith('/batch') ? ways : `${ways.slice(0, 600).padEnd(room, '.')}CANARY-token`);
  });
  folder = mkdtempSync(join(tmpdir(), 'observers-canary-'));
});

afterAll(async () => {
  await receiver.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const FILE = (url: string, closed: string): string => `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints:
  shop:
    url: "${url}/\${TOKEN}/hook?key=\${TOKEN}"
    headers: { authorization: "Bearer \${TOKEN}" }
    signing: { secrets: ["\${SECRET}"] }
    allow_addresses: [loopback]
  behind: { url: "http://example.com/\${TOKEN}", proxy: "\${PROXY}", allow_addresses: [loopback] }
  dead: { url: "${closed}/\${TOKEN}", headers: { authorization: "Bearer \${TOKEN}" }, allow_addresses: [loopback] }
  refused: { url: "${closed}/\${TOKEN}", headers: { authorization: "Bearer \${TOKEN}" } }
alerts: { url: "${url}/\${TOKEN}/alerts", allow_addresses: [loopback] }
lookups:
  customer: { url: "${url}/\${TOKEN}/customers", headers: { authorization: "Bearer \${TOKEN}" }, allow_addresses: [loopback] }
observers:
  - name: all
    entity: Order
    on_failure: alert
    retry: { strategy: fixed, max_attempts: 2, initial_delay: 10ms }
    actions:
      - { name: hook, type: webhook, endpoint: shop }
      - { name: batch, type: webhook, url: "${url}/\${TOKEN}/batch", allow_addresses: [loopback], batch: { within: 1ms } }
      - { name: behind, type: webhook, endpoint: behind }
      - { name: dead, type: webhook, endpoint: dead }
      - { name: refused, type: webhook, endpoint: refused }
      - { name: slack, type: slack, url: "${url}/services/\${TOKEN}", text: "{{ note }}", allow_addresses: [loopback] }
      - { name: mail, type: email, to: a@example.com, subject: x, text: "{{ note }}" }
      - { name: sms, type: sms, to: "+15551234568", text: "{{ note }}" }
      - { name: cache, type: cache, delete: "\${TOKEN}:{{ entity.key }}" }
      - { name: nats, type: publish, subject: "orders.{{ entity.key }}", headers: { x: "\${TOKEN}" } }
      - { name: kafka, type: publish, topic: orders, headers: { x: "\${TOKEN}" } }
      - { name: rabbit, type: publish, exchange: "\${TOKEN}", routing_key: "order.{{ entity.key }}" }
      - { name: stream, type: publish, stream: "\${TOKEN}" }
      - { name: db, type: database, function: public.missing }
  - name: broken
    entity: Order
    when: "note > '\${TOKEN}' AND note / 2 > 1"
    actions: [{ type: log }]
  - name: knows
    entity: Order
    lookups: [customer]
    retry: { strategy: fixed, max_attempts: 2, initial_delay: 10ms }
    actions: [{ type: log, message: "{{ lookups.customer.name }}" }]
`;

async function tables(): Promise<string[]> {
  const found = await database.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('observers', 'core')",
  );
  return found.map(({ name }) => name);
}

test('secrets are in no log, no table, no answer of a probe and no output of a command, whatever fails', async () => {
  await database.query(`create role canary superuser login password 'CANARY-database'`);
  const url = new URL(database.url);
  url.username = 'canary';
  url.password = 'CANARY-database';
  const env = { ...BARE, ...ENV, DATABASE_URL: url.href, OBSERVERS_PORT: '0', OBSERVERS_LOG_LEVEL: 'trace', OBSERVERS_LOG_FORMAT: 'json' };
  writeFileSync(join(folder, 'observers.yaml'), FILE(receiver.url, `http://${PORTS}`));
  const service = launch(process.execPath, [MAIN, 'start', '--apply'], { cwd: folder, env });
  const output = await service.waitFor(/"msg":"started"/);
  await database.query("insert into orders values (1, 'a'), (2, 'b')");
  const letters = await untilRows<{ id: string; action: string }>(
    database,
    'select id::text, action from observers.dead_letter order by action',
    32,
  );
  expect(new Set(letters.map(({ action }) => action)).size).toBe(15);
  expect(receiver.requests.some(({ headers }) => headers['authorization'] === 'Bearer CANARY-token')).toBe(true);
  await receiver.waitFor((all) => all.some(({ path }) => path.endsWith('/alerts')));
  const address = /"address":"([^"]+)"/.exec(output)?.[1] ?? '';
  const id = letters[0]!.id;
  const paths = [
    '/health',
    '/health/live',
    '/health/ready',
    '/nowhere',
    '/status',
    '/listeners',
    '/circuit-breakers',
    '/observers',
    '/events',
    '/events/1',
    '/events/2?current=true',
    '/dlq',
    '/dlq/stats',
    `/dlq/${id}`,
    '/docs-json',
    '/CANARY-api-read-0123?x=CANARY-api-read-0123',
  ];
  const asked = (path: string, token: string, init: RequestInit = {}): Promise<string> =>
    fetch(`http://${address}${path}`, { ...init, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } }).then(
      (answer) => answer.text(),
    );
  const answers = [
    ...(await Promise.all(paths.map((path) => asked(path, 'CANARY-api-read-0123')))),
    ...(await Promise.all(paths.map((path) => asked(path, 'CANARY-api-wrong-0123')))),
    await asked(`/dlq/${id}/retry`, 'CANARY-api-write-0123', { method: 'POST' }),
    await asked('/events/1/replay', 'CANARY-api-write-0123', { method: 'POST', body: '{"observers":["all","broken","knows"]}' }),
    await asked('/dlq/retry-all', 'CANARY-api-write-0123', { method: 'POST', body: '{"dry_run":true}' }),
  ];
  expect(answers.find((answer) => answer.includes('"name":"broken"'))).toContain('${TOKEN}');
  expect(answers.join('')).not.toContain('CANARY-');
  const commands = [
    'status',
    'dlq list',
    'dlq stats',
    `dlq show ${letters[0]!.id}`,
    'config list',
    'validate-config',
    'capture list',
    'lanes list',
    'replay --observer all --after 1h --dry-run',
    'test-event --event-id 1',
    'test-event --event-id 2 --with-lookups',
    'config preview',
    'debug-event --event-id 1 --render',
  ];
  // What they print is searched by the helper that runs them.
  for (const command of commands.flatMap((one) => [one, `${one} --format json`])) {
    const { code, err } = await run(process.execPath, [MAIN, ...command.split(' ')], { cwd: folder, env });
    expect({ command, code, err }).toMatchObject({ command, code: 0 });
  }
  await service.end('SIGTERM');
  const kept = await database.query<{ response: string }>('select distinct response from observers.attempt where response is not null');
  expect(kept.map(({ response }) => response).join()).toContain('${TOKEN}');
  for (const table of await tables()) {
    const rows = await database.query<{ row: string }>(`select t::text as row from ${table} t`);
    const leaks = rows.map(({ row }) => row).filter((row) => /CANARY-|Q0FOQVJZ|NBTkFSWS|DQU5BUl/.test(row));
    expect({ table, leaks }).toEqual({ table, leaks: [] });
  }
  await database.query('reassign owned by canary to current_user; drop owned by canary; drop role canary');
});

test('nor in what is said of a file that cannot be loaded', async () => {
  writeFileSync(
    join(folder, 'bad.yaml'),
    FILE('https://x.example', '${TOKEN}').replace('fixed', '"${TOKEN}"').replace('public.missing', '"${TOKEN}"'),
  );
  const { code, err } = await run(process.execPath, [MAIN, 'validate-config', 'bad.yaml'], { cwd: folder, env: { ...BARE, ...ENV } });
  expect(code).toBe(2);
  expect(err).toMatch(/[2-9] problems/);
});
