import type { SmsActionDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { endpointOf, FAST_RETRY, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { untilRows } from '../support/until';
import { formOf, startTwilioServer, TWILIO_CREDENTIALS } from '../support/twilio-server';

const given = givenOrders('create table public.orders (id bigint primary key, phone text, note text)', startTwilioServer);

async function start(changed: Partial<SmsActionDefinition> = {}, credentials = TWILIO_CREDENTIALS, path = ''): Promise<void> {
  const action: SmsActionDefinition = {
    type: 'sms',
    name: 'text',
    to: '{{ phone }}',
    from: '+15551234567',
    text: 'Order {{ entity.key }}: {{ note }}',
    timeout: 5_000,
    ...changed,
  };
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [action], retry: FAST_RETRY });
  await given.start([observer], { settings: { smsUrl: `http://${credentials}@127.0.0.1:${given.receiver.port}${path}` } });
}

const insert = (phone: string, note = ''): Promise<unknown> => given.database.query('insert into orders values (7, $1, $2)', [phone, note]);
const dead = async (): Promise<Record<string, unknown>> =>
  (await untilRows(given.database, 'select error, status, message, response, attempts from observers.dead_letter', 1))[0]!;

test('the message arrives with its values, whatever characters they have', async () => {
  await start();
  await insert(' +4915112345678 ', 'Grüße & 50 % ✓\n{{ entity.key }}');
  const [request] = await given.receiver.waitFor(1);
  expect(formOf(request!)).toEqual({
    to: '+4915112345678',
    from: '+15551234567',
    service: null,
    body: 'Order 7: Grüße & 50 % ✓\n{{ entity.key }}',
  });
  expect(await untilRows(given.database, 'select outcome, status from observers.attempt', 1)).toEqual([
    { outcome: 'succeeded', status: 201 },
  ]);
});

test('a messaging service is named as one, and an API key acts for its account', async () => {
  await start({ from: `MG${'a'.repeat(32)}` }, 'SK1:key-secret', `/${TWILIO_CREDENTIALS.split(':')[0]}`);
  given.receiver.answer = (_request, response) => void response.writeHead(201).end('{}');
  await insert('+4915112345678');
  const [request] = await given.receiver.waitFor(1);
  expect(request?.path).toBe(`/2010-04-01/Accounts/${TWILIO_CREDENTIALS.split(':')[0]}/Messages.json`);
  expect(request?.headers['authorization']).toBe(`Basic ${Buffer.from('SK1:key-secret').toString('base64')}`);
  expect(formOf(request!)).toMatchObject({ from: null, service: `MG${'a'.repeat(32)}` });
});

test.each([
  ['+15005550001', 400, 'error 21211, the recipient is not a valid phone number', '{"code":21211}'],
  ['+15005550004', 400, 'error 21610, the recipient has unsubscribed', '{"code":21610}'],
])('what Twilio refuses for good is dead at once, and the number %s is kept nowhere', async (phone, status, meaning, response) => {
  await start();
  await insert(phone);
  expect(await dead()).toMatchObject({ error: 'http_status', status, response, message: containing(meaning) });
  const kept = JSON.stringify(await given.database.query('select a.*, d.* from observers.attempt a, observers.dead_letter d'));
  expect(kept).not.toContain(phone);
});

test('refused credentials say which setting holds them, and show none', async () => {
  await start({}, 'AC1:CANARY-wrong');
  await insert('+4915112345678');
  const letter = await dead();
  expect(letter).toMatchObject({
    status: 401,
    message: containing('the credentials of OBSERVERS_SMS_URL are refused'),
  });
  expect(JSON.stringify(letter)).not.toContain('CANARY');
});

test('a rate limit and a breakdown are tried again', async () => {
  await start();
  const answers = [429, 503, 500];
  given.receiver.answer = (request, response, raw) => {
    const status = answers.shift();
    if (status === undefined) given.receiver.check(request, response, raw);
    else response.writeHead(status, { 'retry-after': '0' }).end(`{"code":20429,"message":"Too Many Requests","status":${status}}`);
  };
  await insert('+4915112345678');
  await untilRows(given.database, "select from observers.attempt where outcome = 'succeeded'", 1);
  expect(given.receiver.requests).toHaveLength(4);
});

test.each([
  ['no number', 'call me', '', 'to is not one phone number'],
  ['two numbers', '+4915112345678,+4915112345679', '', 'to is not one phone number'],
  ['a text that is too long', '+4915112345678', 'x'.repeat(1_601), 'characters, and a message may have 1600'],
])('%s is a dead letter, and nothing is sent', async (_what, phone, note, message) => {
  await start();
  await insert(phone, note);
  const letter = await dead();
  expect(letter).toMatchObject({ error: 'template', message: containing(message) });
  expect(JSON.stringify(letter)).not.toContain('49151');
  expect(given.receiver.requests).toEqual([]);
});
