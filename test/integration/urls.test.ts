import type { WebhookActionDefinition } from '../../src/event/definitions';
import { givenOrders } from '../support/fixture';
import { endpointOf, observerOf } from '../support/stream';
import { containing } from '../support/texts';
import { untilRows } from '../support/until';

const given = givenOrders('create table public.orders (id bigint primary key, part text)');

async function start(path: string, changed: Partial<WebhookActionDefinition> = {}): Promise<void> {
  const endpoint = { ...endpointOf(`${given.receiver.url}/x`), url: given.receiver.url + path };
  const observer = observerOf('all', endpoint);
  const action = { ...(observer.actions[0] as WebhookActionDefinition), ...changed };
  await given.start([{ ...observer, actions: [action] }]);
}
const insert = (part: string | null): Promise<unknown> => given.database.query('insert into orders values (7, $1)', [part]);

test.each([
  ['/日本/größe/a b?q=ä ö', '/%E6%97%A5%E6%9C%AC/gr%C3%B6%C3%9Fe/a%20b?q=%C3%A4%20%C3%B6'],
  ['/größe/{{ part }}#part', '/gr%C3%B6%C3%9Fe/x%20y'],
])('%s arrives percent-encoded', async (path, arrived) => {
  await start(path);
  await insert('x y');
  const [request] = await given.receiver.waitFor(1);
  expect(request?.path).toBe(arrived);
});

test.each([
  ['empty', ''],
  ['null', null],
])('of a value in the path that is %s no other resource is deleted: the delivery is a dead letter', async (_what, part) => {
  await start('/p/{{ data.part }}/x', { method: 'DELETE' });
  await insert(part);
  const [letter] = await untilRows(given.database, 'select error, attempts, message from observers.dead_letter', 1);
  expect(letter).toMatchObject({
    error: 'template',
    attempts: 1,
    message: containing('empty or missing (data.part); where that is meant: {{ data.part | allow_empty }}'),
  });
  expect(given.receiver.requests).toEqual([]);
});

test('a filter allows it', async () => {
  await start('/p/{{ data.part | allow_empty }}/x', { method: 'DELETE' });
  await insert('');
  const [request] = await given.receiver.waitFor(1);
  expect(request?.path).toBe('/p//x');
});
