import { createECDH } from 'node:crypto';
import type { PushActionDefinition, WebPushDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { startPushService } from '../support/push-service';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { untilRows } from '../support/until';

const VAPID = createECDH('prime256v1');
VAPID.generateKeys();
const SETTINGS = { vapidPrivateKey: VAPID.getPrivateKey('base64url'), vapidSubject: 'mailto:push@shop.example' };

const given = givenOrders('create table public.orders (id bigint primary key, browser jsonb, note text)', startPushService);

async function start(changed: Partial<WebPushDefinition> = {}): Promise<void> {
  const to: WebPushDefinition = {
    provider: 'web push',
    subscription: '{{ browser | json }}',
    notification: { title: 'Order {{ entity.key }}', body: '{{ note }}' },
    data: {},
    ttl: 60_000,
    urgency: 'high',
    allowAddresses: ['loopback'],
    timeout: 5_000,
    ...changed,
  };
  const action: PushActionDefinition = { type: 'push', name: 'push', timeout: 5_000, to };
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry: FAST_RETRY });
  await given.start([observer], { settings: SETTINGS });
}

const insert = (browser: unknown, note = ''): Promise<unknown> =>
  given.database.query('insert into orders values (7, $1, $2)', [JSON.stringify(browser), note]);
const dead = async (): Promise<Record<string, unknown>> =>
  (await untilRows(given.database, 'select error, status, message, response from observers.dead_letter', 1))[0]!;

test('the browser decrypts what was sent, and the push service knows who sent it', async () => {
  await start();
  await insert(given.receiver.subscription, 'Grüße "quoted"');
  await given.receiver.waitFor(1);
  expect(given.receiver.messages).toEqual([
    {
      text: JSON.stringify({ notification: { title: 'Order 7', body: 'Grüße "quoted"' } }),
      ttl: '60',
      urgency: 'high',
      subject: 'mailto:push@shop.example',
    },
  ]);
});

test('a subscription that has ended is dead at once, and says what to do', async () => {
  await start();
  await insert({ ...given.receiver.subscription, endpoint: `${given.receiver.url}/push/gone` });
  expect(await dead()).toMatchObject({
    error: 'http_status',
    status: 410,
    message: containing('the subscription has ended (410): remove it'),
  });
});

test('a push service that is busy is tried again', async () => {
  await start();
  const answers = [429, 503];
  given.receiver.answer = (request, response, raw) => {
    const status = answers.shift();
    if (status === undefined) given.receiver.check(request, response, raw);
    else response.writeHead(status, { 'retry-after': '0' }).end();
  };
  await insert(given.receiver.subscription);
  await given.receiver.waitFor(3);
  await untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", 1);
});

test.each([
  ['an address inside', { endpoint: 'https://169.254.169.254/push' }, 'blocked_address', '169.254.169.254'],
  ['a plain URL', { endpoint: 'http://push.example/x' }, 'template', 'not an https URL'],
  ['credentials', { endpoint: 'https://u:p@push.example/x' }, 'template', 'not an https URL'],
  ['no keys', { endpoint: 'https://push.example/x', keys: {} }, 'template', 'lacks endpoint, keys.p256dh or keys.auth'],
  [
    'a key that is none',
    { endpoint: 'https://push.example/x', keys: { p256dh: 'AAAA', auth: 'AAAA' } },
    'template',
    'cannot be encrypted for',
  ],
])('a subscription with %s is a dead letter, and nothing is dialled', async (_what, changed, error, message) => {
  await start({ allowAddresses: [] });
  await insert({ ...given.receiver.subscription, ...changed });
  const letter = await dead();
  expect(letter).toMatchObject({ error, message: containing(message) });
  expect(given.receiver.requests).toEqual([]);
});

test('without leave for loopback the very same subscription is refused', async () => {
  await start({ allowAddresses: ['10.0.0.0/8'] });
  await insert(given.receiver.subscription);
  expect(await dead()).toMatchObject({ error: 'blocked_address' });
  expect(given.receiver.requests).toEqual([]);
});

test('a message that no push service would take is not sent', async () => {
  await start();
  await insert(given.receiver.subscription, 'x'.repeat(4_000));
  expect(await dead()).toMatchObject({ error: 'template', message: containing('push services take 3993') });
});
