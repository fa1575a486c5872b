import type { SecureContextOptions } from 'node:tls';
import { Pool, type buildConnector } from 'undici';
import type { EndpointDefinition, EndpointTls } from '../../event/definitions';
import type { Outcome } from '../../event/outcome';
import { Exchange, type HttpRequest } from './http-exchange';
import { InterruptedError } from './network-failure';
import { AddressPolicy, guardedConnector } from './outbound-guard';
import { proxyConnector } from './proxy-connector';

const NOTHING = Buffer.alloc(0);

/** Keep-alive connections to one origin. Redirects are not followed. */
export class OriginPool {
  private readonly pool: Pool;
  private readonly closer = new AbortController();

  /** @param endpoint how it is dialled, and for how long it is waited for */
  constructor(
    private readonly endpoint: EndpointDefinition,
    origin: string,
  ) {
    this.pool = new Pool(origin, {
      connections: endpoint.concurrency,
      pipelining: 1,
      connect: connectorOf(endpoint, this.closer.signal),
      // One deadline of our own covers dialling, headers and body; undici's are per phase, and a dripping body resets them.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 10_000,
    });
  }

  /** Never rejects: what goes wrong is an outcome. @param timeout what is left of the endpoint's */
  send(request: HttpRequest, timeout = this.endpoint.timeout): Promise<Outcome> {
    return new Promise((resolve) => this.dispatch(request, new Exchange(this.endpoint, request.headers, timeout, false, resolve)));
  }

  /** The same for an answer that matters: one that is not whole has failed. The body is empty when it has. */
  fetch(request: HttpRequest, timeout = this.endpoint.timeout): Promise<readonly [Outcome, Buffer]> {
    return new Promise((resolve) => {
      const exchange: Exchange = new Exchange(this.endpoint, request.headers, timeout, true, (outcome) =>
        resolve([outcome, outcome.ok ? exchange.body : NOTHING]),
      );
      this.dispatch(request, exchange);
    });
  }

  /** Aborted when the connections are ended. */
  get closing(): AbortSignal {
    return this.closer.signal;
  }

  async close(): Promise<void> {
    this.closer.abort(new InterruptedError());
    await this.pool.destroy(new InterruptedError());
  }

  private dispatch({ path, method, headers, body }: HttpRequest, exchange: Exchange): void {
    this.pool.dispatch({ path, method, headers: headers as string[], body }, exchange);
  }
}

function connectorOf({ name, allowAddresses, timeout, tls, proxy }: EndpointDefinition, closing: AbortSignal): buildConnector.connector {
  const policy = new AddressPolicy(allowAddresses, name);
  const options = { timeout, tls: secureContextOf(tls) };
  return proxy === null ? guardedConnector(policy, options) : proxyConnector(proxy, policy, options, closing);
}

function secureContextOf(tls: EndpointTls | null): SecureContextOptions {
  return { ca: tls?.ca ?? undefined, cert: tls?.cert ?? undefined, key: tls?.key ?? undefined };
}
