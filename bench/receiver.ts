import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Child process: counts webhooks and answers 204. With `latency` it notes when which order came; with `slow` it answers after 100 ms, and
 * notes when it did. What comes to `/hangs…` never gets an answer, and is not counted.
 * Messages in: `count`, `arrivals`. Messages out: { port }, { count }, { arrivals }.
 */
let count = 0;
const arrivals: [id: number, at: number][] = [];
const keep = process.argv[2] !== 'count';
const delay = process.argv[2] === 'slow' ? 100 : 0;

const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => {
    if (keep) body += chunk.toString('latin1');
  });
  request.on('end', () => {
    if (request.url?.startsWith('/hangs') === true) return;
    const answer = (): void => {
      count++;
      if (keep) arrivals.push([Number(/"data"\s*:\s*\{"id":(\d+)/.exec(body)?.[1]), performance.timeOrigin + performance.now()]);
      response.writeHead(204).end();
    };
    if (delay > 0) setTimeout(answer, delay);
    else answer();
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));

process.on('message', (question) => {
  process.send?.(question === 'count' ? { count } : { arrivals });
});
