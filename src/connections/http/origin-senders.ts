import type { EndpointDefinition } from '../../event/definitions';
import type { Outcome } from '../../event/outcome';
import { HttpSender, type HttpRequest } from './http-sender';

/** Servers whose connections are kept while nobody uses them. */
const MOST_UNUSED = 50;

interface Used {
  readonly sender: HttpSender;
  /** Requests under way. */
  requests: number;
}

/** Connections to servers that data names, of which there may be any number: those are closed that nobody has used for longest, and never one in use. */
export class OriginSenders {
  /** What was not used for longest comes first. */
  private readonly senders = new Map<string, Used>();

  /** @param endpointOf an origin */
  constructor(private readonly endpointOf: (origin: string) => EndpointDefinition) {}

  /** Never rejects: what goes wrong is an outcome. */
  async send(origin: string, request: HttpRequest): Promise<Outcome> {
    const used = this.senders.get(origin) ?? { sender: new HttpSender(this.endpointOf(origin)), requests: 0 };
    this.senders.delete(origin);
    this.senders.set(origin, used);
    used.requests++;
    try {
      return await used.sender.send(request);
    } finally {
      used.requests--;
      this.closeUnused();
    }
  }

  /** How many servers there are connections to, or may be. */
  get size(): number {
    return this.senders.size;
  }

  async close(): Promise<void> {
    await Promise.all([...this.senders.values()].map(({ sender }) => sender.close()));
  }

  private closeUnused(): void {
    if (this.senders.size <= MOST_UNUSED) return;
    const unused = [...this.senders].filter(([, { requests }]) => requests === 0);
    for (const [origin, { sender }] of unused.slice(0, Math.max(0, unused.length - MOST_UNUSED))) {
      this.senders.delete(origin);
      void sender.close();
    }
  }
}
