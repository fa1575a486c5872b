import type { SlackActionDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { startSlackServer } from '../support/slack-server';
import { endpointOf, observerOf } from '../support/stream';
import { eventually, untilRows } from '../support/until';

const PATH = '/services/T0001/B0001/abcdefghijklmnopqrstuvwx';

const given = givenOrders('create table public.orders (id bigint primary key, customer text)', startSlackServer);

async function start(message: Pick<SlackActionDefinition, 'text' | 'blocks'>, path = PATH): Promise<void> {
  const endpoint = endpointOf(`${given.receiver.url}${path}`, { name: 'slack', signingSecrets: [] });
  const action: SlackActionDefinition = { type: 'slack', name: 'tell', endpoint, ...message };
  await given.start([observerOf('all', endpoint, { actions: [action] })]);
}

const outcomes = (): Promise<{ outcome: string; status: number; response: string | null }[]> =>
  given.database.query('select outcome, status, response from observers.attempt order by finished_at');

test('text and blocks arrive with their values, which can neither mention nor link', async () => {
  const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: '*{{ customer }}* <!here>' } }];
  await start({ text: 'Order {{ entity.key }} of {{ customer }}', blocks });
  await given.database.query(`insert into orders values (7, $1)`, ['<!channel> & "Sons" <https://evil.example|x> \\ {{ entity.key }}']);
  const [request] = await given.receiver.waitFor(1);
  const safe = '&lt;!channel&gt; &amp; "Sons" &lt;https://evil.example|x&gt; \\ {{ entity.key }}';
  expect(JSON.parse(request!.body)).toEqual({
    text: `Order 7 of ${safe}`,
    blocks: [{ type: 'section', text: { type: 'mrkdwn', text: `*${safe}* <!here>` } }],
  });
  expect(request!.headers).toMatchObject({ 'content-type': 'application/json' });
  expect(request!.headers['webhook-signature']).toBeUndefined();
  expect(await eventually(outcomes, (rows) => rows.length === 1)).toEqual([{ outcome: 'succeeded', status: 200, response: null }]);
});

test.each([
  ['a message without text', '{{ customer }}', PATH, 400, 'no_text', 'http_status'],
  ['a webhook that was removed', 'x', '/services/T0001/B0001/short', 404, 'no_service', 'http_status'],
  ['an archived channel', 'x', PATH.replace('T0001', 'TARCHIVED'), 410, 'channel_is_archived', 'gone'],
])('%s is dead at once, with the word that Slack has for it', async (_what, text, path, status, word, error) => {
  await start({ text, blocks: null }, path);
  await given.database.query("insert into orders values (1, '')");
  const dead = await untilRows(given.database, 'select error, status, response from observers.dead_letter', 1);
  expect(dead).toEqual([{ error, status, response: word }]);
  expect(given.receiver.requests).toHaveLength(1);
});

test('a rate limit is obeyed, and uses up no attempt', async () => {
  let limited = 0;
  given.receiver.answer = (request, response, raw) => {
    if (++limited > 5) given.receiver.check(request, response, raw);
    else response.writeHead(429, { 'retry-after': '0' }).end('rate_limited');
  };
  await start({ text: 'x', blocks: null });
  await given.database.query("insert into orders values (1, 'a')");
  // More often than the four attempts that the observer has.
  await given.receiver.waitFor(6);
  const rows = await eventually(outcomes, (all) => all.length === 6);
  expect(rows.at(-1)).toMatchObject({ outcome: 'succeeded' });
});
