import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

/** How often the flaky path fails before it works, per delivery. */
const FAILURES = 2;
const REMEMBERED = 1_000;

/** A webhook as it arrived. */
export interface Arrival {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** By another implementation than the one that signed. */
  readonly verified: boolean;
  readonly try: number;
  readonly answered: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** A small shop that verifies what it gets; on `/flaky` it fails twice per delivery, then works. */
export class DemoReceiver {
  private readonly server: Server;
  private readonly webhook: Webhook;
  private readonly tries = new Map<string, number>();

  constructor(
    secret: string,
    private readonly onArrival: (arrival: Arrival) => void,
  ) {
    this.webhook = new Webhook(secret);
    this.server = createServer((request, response) => void this.receive(request, response));
  }

  /** @returns its URL, on any free port of the loopback */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const at = performance.now();
    const body = Buffer.concat(chunks).toString('utf8');
    const headers = request.headers as Record<string, string>;
    const id = headers['webhook-id'] ?? '';
    const attempt = this.count(id);
    const answered = request.url === '/flaky' && attempt <= FAILURES ? 503 : 204;
    response.writeHead(answered).end();
    this.onArrival({ path: request.url ?? '', headers, body, verified: this.verify(body, headers), try: attempt, answered, at });
  }

  private verify(body: string, headers: Record<string, string>): boolean {
    try {
      this.webhook.verify(body, headers);
      return true;
    } catch (error) {
      if (error instanceof WebhookVerificationError) return false;
      throw error;
    }
  }

  private count(id: string): number {
    const attempt = (this.tries.get(id) ?? 0) + 1;
    this.tries.set(id, attempt);
    const [oldest] = this.tries.keys();
    if (this.tries.size > REMEMBERED && oldest !== undefined) this.tries.delete(oldest);
    return attempt;
  }
}
