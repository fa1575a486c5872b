import { readFileSync, writeFileSync } from 'node:fs';
import type { FcmPushDefinition, PushActionDefinition } from '../../src/event/definitions';
import { startFcmServer } from '../support/fcm-server';
import { givenOrders } from '../support/fixture';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, device text, note text)', startFcmServer);

async function start(changed: Partial<FcmPushDefinition> = {}): Promise<void> {
  const to: FcmPushDefinition = {
    provider: 'fcm',
    target: { kind: 'token', value: '{{ device }}' },
    notification: { title: 'Order {{ entity.key }}', body: '{{ note }}' },
    data: { order: '{{ entity.key }}' },
    ttl: null,
    timeout: 5_000,
    ...changed,
  };
  const action: PushActionDefinition = { type: 'push', name: 'push', timeout: 5_000, to };
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry: FAST_RETRY });
  await given.start([observer], { settings: { fcmCredentials: given.receiver.credentials, fcmUrl: given.receiver.url } });
}

const insert = (device: string, note = '', id = 7): Promise<unknown> =>
  given.database.query('insert into orders values ($3, $1, $2)', [device, note, id]);
const dead = async (): Promise<Record<string, unknown>> =>
  (await untilRows(given.database, 'select error, status, message, response, attempts from observers.dead_letter', 1))[0]!;
const succeeded = (count: number): Promise<unknown> =>
  untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", count);

test('a message arrives with its values, under a token that was got with a signed assertion', async () => {
  await start({ ttl: 3_600_000 });
  await insert('device-1', '"},"admin":true,"x":"');
  await succeeded(1);
  expect(JSON.parse(given.receiver.messages[0]!.body)).toEqual({
    message: {
      token: 'device-1',
      notification: { title: 'Order 7', body: '"},"admin":true,"x":"' },
      data: { order: '7' },
      android: { ttl: '3600s' },
      webpush: { headers: { TTL: '3600' } },
    },
  });
  expect(given.receiver.grants).toHaveLength(1);
});

test('fifty messages at once make do with one token', async () => {
  await start({ target: { kind: 'topic', value: 'orders' } });
  await given.database.query("insert into orders select n, 'x', '' from generate_series(1, 50) n");
  await succeeded(50);
  expect(given.receiver.grants).toHaveLength(1);
});

test('a token that was revoked before its time is replaced within the same try', async () => {
  await start();
  await insert('device-1', '', 1);
  await succeeded(1);
  given.receiver.token = 'ya29.second';
  await insert('device-1', '', 2);
  await succeeded(2);
  expect(given.receiver.grants).toHaveLength(2);
  expect(await given.database.query("select from observers.attempt where outcome <> 'succeeded'")).toEqual([]);
});

test.each([
  ['stale', 404, 'UNREGISTERED, the app was removed from the device, or its token is stale'],
  ['foreign', 403, 'SENDER_ID_MISMATCH, the token belongs to another Firebase project'],
  ['malformed', 400, 'INVALID_ARGUMENT, the token or the message is malformed'],
  ['apple', 401, 'THIRD_PARTY_AUTH_ERROR'],
])('a %s token is dead at once, with what it means and nothing of what was sent', async (device, status, meaning) => {
  await start();
  await insert(device, 'CANARY-note');
  const letter = await dead();
  expect(letter).toMatchObject({ error: 'http_status', status, attempts: 1, message: containing(meaning) });
  expect(JSON.stringify(letter)).not.toContain('CANARY');
  expect(given.receiver.messages).toHaveLength(1);
});

test('a quota and a breakdown are waited for', async () => {
  await start();
  const answers = [429, 503];
  given.receiver.answer = (request, response, raw) => {
    const status = request.path === '/token' ? undefined : answers.shift();
    if (status === undefined) return given.receiver.check(request, response, raw);
    response.writeHead(status, { 'retry-after': '0' }).end(`{"error":{"code":${status},"status":"UNAVAILABLE"}}`);
  };
  await insert('device-1');
  await succeeded(1);
});

test('an account whose key was revoked is a dead letter that names the setting; a token server that is down is tried again', async () => {
  let down = true;
  given.receiver.answer = (request, response, raw) => {
    if (down && request.path === '/token') response.writeHead(503).end();
    else given.receiver.check(request, response, raw);
  };
  await start();
  await insert('device-1', '', 1);
  await untilRows(given.database, "select from observers.attempt where outcome = 'retry' and error = 'connection'", atLeast(1));
  down = false;
  await succeeded(1);
  await given.stop();
  const key = JSON.parse(readFileSync(given.receiver.credentials, 'utf8')) as object;
  writeFileSync(given.receiver.credentials, JSON.stringify({ ...key, client_email: 'somebody@else' }));
  await start();
  await insert('device-1', '', 2);
  expect(await dead()).toMatchObject({
    error: 'configuration',
    message: containing('the service account of OBSERVERS_FCM_CREDENTIALS was refused: 400 invalid_grant'),
  });
});

test('an empty token is a dead letter, and nothing is sent', async () => {
  await start();
  await insert('');
  expect(await dead()).toMatchObject({ error: 'template' });
  expect(given.receiver.messages).toEqual([]);
});
