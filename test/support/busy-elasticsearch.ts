import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BusyProxy {
  readonly port: number;
  /** What of a bulk request gets no more than 429: the whole of it, every third of its documents, or nothing. */
  refuses: 'all' | 'some' | 'none';
  /** Answers that refused something. */
  refused: number;
  /** Bytes of each bulk request. */
  readonly sizes: number[];
  close(): void;
}

const TOO_MUCH = { type: 'es_rejected_execution_exception', reason: 'too much' };

/** Before Elasticsearch: refuses what it is told to. */
export async function startBusyProxy(target: number, refuses: BusyProxy['refuses']): Promise<BusyProxy> {
  const server = createServer((incoming, outgoing) => {
    const isBulk = incoming.url?.startsWith('/_bulk') === true;
    if (isBulk) busy.sizes.push(Number(incoming.headers['content-length'] ?? 0));
    if (isBulk && busy.refuses !== 'none') busy.refused++;
    if (isBulk && busy.refuses === 'all') {
      incoming.resume();
      const body = JSON.stringify({ error: TOO_MUCH, status: 429 });
      outgoing.writeHead(429, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' }).end(body);
      return;
    }
    const isRefused = isBulk && busy.refuses === 'some';
    const { method, url, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) =>
      isRefused ? void refuseSome(answer, outgoing) : answer.pipe(outgoing.writeHead(answer.statusCode ?? 500, answer.headers)),
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const busy: BusyProxy = { port, refuses, refused: 0, sizes: [], close: () => void server.close() };
  return busy;
}

/** As a node does whose queue is full: what was written is written, and others of the same request are not. */
async function refuseSome(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const { items } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { items: Record<string, object>[] };
  const some = items.map((item, i) => (i % 3 === 0 ? { index: { status: 429, error: TOO_MUCH } } : item));
  const headers = { ...answer.headers };
  delete headers['content-length'];
  outgoing.writeHead(answer.statusCode ?? 500, headers).end(JSON.stringify({ items: some }));
}
