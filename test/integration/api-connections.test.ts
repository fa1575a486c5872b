import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { apiOf } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { startTestService, type TestService } from '../support/service';
import { until } from '../support/until';

let database: TestDatabase;
let service: TestService;
const sockets: Socket[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startTestService(database.url);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  await service.stop();
  await database.drop();
});

/** Sends this and nothing more, and says what came and when the end was. */
function half(text: string): { readonly socket: Socket; readonly ended: Promise<{ answer: string; after: number }> } {
  const [host = '', port = ''] = service.address.split(':');
  const socket = connect(Number(port), host);
  sockets.push(socket);
  const begun = performance.now();
  let answer = '';
  socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
  socket.on('error', () => undefined);
  socket.write(text);
  const ended = once(socket, 'close').then(() => ({ answer, after: performance.now() - begun }));
  return { socket, ended };
}

test.each([
  ['nothing at all', '', /^(HTTP\/1.1 408|$)/],
  ['half a head', 'GET /status HTTP/1.1\r\nhost: localhost\r\nx: ', /^HTTP\/1.1 408 [^]*"status":408/],
])(
  'a connection that sends %s is ended',
  async (_what, text, answered) => {
    const { answer, after } = await half(text).ended;
    expect(answer).toMatch(answered);
    expect(after).toBeGreaterThan(8_000);
    expect(after).toBeLessThan(30_000);
  },
  240_000,
);

test('a body that never comes is waited for, but not for ever', async () => {
  const head = 'POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{';
  const [slow, fine] = [half(head), half('GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')];
  expect((await fine.ended).answer).toMatch(/^HTTP\/1.1 200/);
  const { after } = await slow.ended;
  expect(after).toBeLessThan(60_000);
});

test('a thousand half-open connections are not kept, and the probes answer meanwhile', async () => {
  const opened = Array.from({ length: 1_000 }, () => half('GET /'));
  await Promise.all(
    opened.filter(({ socket }) => socket.connecting).map(({ socket }) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
  );
  const api = apiOf(service);
  for (let i = 0; i < 5; i++) expect((await api('GET /health/live')).status).toBe(200);
  await until(() => opened.filter(({ socket }) => !socket.destroyed).length <= 300);
  expect((await api('GET /status')).status).toBe(200);
});
