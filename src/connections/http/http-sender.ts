import { SystemClock, type Clock } from '../../event/clock';
import type { EndpointDefinition } from '../../event/definitions';
import type { Outcome } from '../../event/outcome';
import type { Authorization } from './authorization';
import { AwsAuthorization } from './aws-authorization';
import { BearerAuthorization } from './bearer-authorization';
import type { HttpRequest } from './http-exchange';
import { OriginPool } from './origin-pool';

export type { HttpRequest } from './http-exchange';

/**
 * The keep-alive connections of all endpoints; actions that name the same endpoint share them. By what an endpoint says and not by its object:
 * one that a reload leaves as it is keeps its connections.
 */
export class HttpSenders {
  private readonly senders = new Map<string, HttpSender>();

  constructor(private readonly clock: Clock = new SystemClock()) {}

  for(endpoint: EndpointDefinition): HttpSender {
    const key = JSON.stringify(endpoint);
    const sender = this.senders.get(key) ?? new HttpSender(endpoint, this.clock);
    this.senders.set(key, sender);
    return sender;
  }

  /** Ends all connections; requests under way fail as interrupted. */
  async close(): Promise<void> {
    await Promise.all([...this.senders.values()].map((sender) => sender.close()));
  }
}

const NOTHING = Buffer.alloc(0);

/** The connections to one endpoint, and what its receiver wants to know of who asks. */
export class HttpSender {
  /** For requests that wait here for their turn instead of in the pool, where their deadline runs. */
  readonly places: Places;
  private readonly pool: OriginPool;
  private readonly authorization: Authorization | null;

  constructor(
    private readonly endpoint: EndpointDefinition,
    /** By which its requests are signed. */
    readonly clock: Clock = new SystemClock(),
  ) {
    this.places = new Places(endpoint.concurrency);
    this.pool = new OriginPool(endpoint, originOf(endpoint.url));
    this.authorization = authorizationOf(endpoint, clock);
  }

  /** Never rejects: what goes wrong is an outcome. */
  async send(request: HttpRequest): Promise<Outcome> {
    if (this.authorization === null) return this.pool.send(request);
    const [outcome] = await this.authorized(this.authorization, request, async (sent, left) => [await this.pool.send(sent, left), NOTHING]);
    return outcome;
  }

  /** The same for an answer that matters: one that is not whole has failed. The body is empty when it has. */
  fetch(request: HttpRequest): Promise<readonly [Outcome, Buffer]> {
    if (this.authorization === null) return this.pool.fetch(request);
    return this.authorized(this.authorization, request, (sent, left) => this.pool.fetch(sent, left));
  }

  /** Aborted when the connections are ended. */
  get closing(): AbortSignal {
    return this.pool.closing;
  }

  async close(): Promise<void> {
    const closed = this.pool.close();
    this.authorization?.close();
    await closed;
  }

  /** What the authorization takes is part of the endpoint's time. */
  private async authorized(
    authorization: Authorization,
    request: HttpRequest,
    exchange: (sent: HttpRequest, left: number) => Promise<readonly [Outcome, Buffer]>,
  ): Promise<readonly [Outcome, Buffer]> {
    const { timeout } = this.endpoint;
    const began = performance.now();
    const ready = await authorization.authorize(request, timeout);
    if ('error' in ready) return [ready, NOTHING];
    const [outcome, body] = await exchange(ready.request, Math.max(1, timeout - (performance.now() - began)));
    return [ready.judged(outcome), body];
  }
}

/** How many requests may be under way; who finds none free is told when one is, in the order of asking. */
export class Places {
  private readonly waiting = new Set<() => void>();

  constructor(private free: number) {}

  take(): boolean {
    if (this.free === 0) return false;
    this.free--;
    return true;
  }

  /** @param retry called once; takes a place, or asks again */
  whenFree(retry: () => void): void {
    this.waiting.add(retry);
  }

  leave(): void {
    this.free++;
    for (const retry of this.waiting) {
      if (this.free === 0) return;
      this.waiting.delete(retry);
      retry();
    }
  }
}

/** The origin holds no template (checked when the file is loaded), so the path begins at the first slash after it. A fragment is not sent. */
export function splitUrl(url: string): [origin: string, path: string] {
  const [, origin = url, rest = ''] = /^(https?:\/\/[^/?#]+)([\s\S]*)/i.exec(url) ?? [];
  // A # within a tag begins none.
  const [path = ''] = /^(?:\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}|[^#])*/.exec(rest) ?? [];
  return [origin, path.startsWith('/') ? path : `/${path}`];
}

function authorizationOf(endpoint: EndpointDefinition, clock: Clock): Authorization | null {
  const { auth, url } = endpoint;
  if (auth === null) return null;
  return auth.type === 'oauth2' ? new BearerAuthorization(auth, endpoint, clock) : new AwsAuthorization(auth, originOf(url), clock);
}

function originOf(url: string): string {
  return new URL(splitUrl(url)[0]).origin;
}
