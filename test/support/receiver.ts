import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body as it came, before anybody took it for UTF-8. */
  readonly bytes: Buffer;
  /** Monotonic milliseconds. */
  readonly at: number;
}

export type Answer = (request: Received, response: ServerResponse, raw: IncomingMessage) => void;

/** A real HTTP server that writes down what it gets and answers as it is told. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly requests: Received[];
  /** Changed at any time; 204 at first. */
  answer: Answer;
  /** Resolves when so many requests have come, or when it holds; rejects after `timeout`. */
  waitFor(what: number | ((all: readonly Received[]) => boolean), timeout?: number): Promise<Received[]>;
  close(): Promise<void>;
}

export async function startReceiver(answer: Answer = status(204)): Promise<Receiver> {
  const waiters = new Set<() => void>();
  const server = createServer((raw, response) => {
    const chunks: Buffer[] = [];
    raw.on('data', (chunk: Buffer) => chunks.push(chunk));
    raw.on('end', () => {
      const request: Received = {
        method: raw.method ?? '',
        path: raw.url ?? '',
        headers: raw.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
        bytes: Buffer.concat(chunks),
        at: performance.now(),
      };
      receiver.requests.push(request);
      receiver.answer(request, response, raw);
      for (const check of waiters) check();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: [],
    answer,
    waitFor: (what, timeout = 60_000) =>
      new Promise((resolve, reject) => {
        const done = (): boolean => (typeof what === 'number' ? receiver.requests.length >= what : what(receiver.requests));
        const end = (finish: () => void): void => {
          clearTimeout(timer);
          waiters.delete(check);
          finish();
        };
        const check = (): void => void (done() && end(() => resolve(receiver.requests)));
        const timer = setTimeout(
          () => end(() => reject(new Error(`${receiver.requests.length} requests came within ${timeout} ms`))),
          timeout,
        );
        waiters.add(check);
        check();
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

export function status(code: number, headers: Record<string, string> = {}, body = ''): Answer {
  return (_request, response) => void response.writeHead(code, headers).end(body);
}

/** Fails so many times per delivery, then works. */
export function failing(times: number, code = 500): Answer {
  const seen = new Map<string, number>();
  return (request, response) => {
    const id = request.headers['webhook-id'] ?? '';
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    response.writeHead(count <= times ? code : 204).end();
  };
}
