import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Response } from 'express';
import { EventStream, eventText } from '../../src/admin/http/event-stream';
import { follow } from '../support/event-source';
import { until } from '../support/until';

let server: Server;
let answer: (response: ServerResponse) => void;
let address: string;

beforeAll(async () => {
  server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const PAGE = eventText({ data: 'x'.repeat(1 << 20) });

test('whoever writes waits for a reader that takes nothing, and holds one page; a reader that takes nothing for too long is cut off', async () => {
  let written = 0;
  let cut = false;
  answer = (response) => {
    // Without express the head is written by hand: what is tested is what comes behind it.
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const stream = new EventStream(response as Response, 300);
    void (async () => {
      while (stream.isOpen) {
        await stream.write(PAGE);
        written++;
      }
      cut = true;
    })();
  };
  const source = await follow(address, '/');
  source.pause();
  await until(() => cut);
  // What the sockets of both sides take, which is no page of ours.
  expect(written).toBeLessThan(20);
  source.resume();
  source.close();
});
