import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { sampleDelivery, type CustomActionTools } from 'fraiseql-observers';
import { TicketAction } from './ticket.action';
import { TrackerClient } from './tracker.client';

const requests: { path: string; body: string }[] = [];
let status = 201;
const tracker = createServer((request, response) => {
  void read(request).then((body) => {
    requests.push({ path: request.url ?? '', body });
    response.writeHead(status).end();
  });
});

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

before(async () => {
  await new Promise<void>((resolve) => tracker.listen(0, '127.0.0.1', resolve));
  process.env.TRACKER_URL = `http://127.0.0.1:${(tracker.address() as AddressInfo).port}`;
});
after(() => tracker.close());

const tools = { template: (source: string) => ({ render: () => ({ text: source, missing: 0 }) }) } as unknown as CustomActionTools;
const run = (): ReturnType<TicketAction['prepare']> =>
  new TicketAction(new TrackerClient()).prepare({ project: 'SHOP', title: 'Order' }, tools);

test('a ticket is put under the delivery id, so that a repeat is the same ticket', async () => {
  const delivery = sampleDelivery({ entity: 'Order', key: '7', data: { total: 1 } });
  assert.deepEqual(await run()(delivery, AbortSignal.timeout(5_000)), { ok: true, status: 201 });
  assert.deepEqual(requests, [{ path: `/tickets/SHOP/${delivery.id}`, body: '{"title":"Order"}' }]);
});

test('a tracker that is down is tried again, one that refuses is not', async () => {
  status = 503;
  assert.equal(((await run()(sampleDelivery(), AbortSignal.timeout(5_000))) as { error?: string }).error, 'unavailable');
  status = 422;
  assert.equal(((await run()(sampleDelivery(), AbortSignal.timeout(5_000))) as { error?: string }).error, 'refused');
});

test('the options are checked', () => {
  assert.equal(new TicketAction(new TrackerClient()).options.safeParse({ project: 'shop', title: 'x' }).success, false);
});
