import { Pool, type Dispatcher } from 'undici';
import type { EndpointDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import { failed, type ErrorKind, type Outcome } from '../event/outcome';
import { AddressPolicy, BlockedAddressError, guardedConnector } from './outbound-guard';
import { isTlsFailure, tlsMessage } from './tls-failure';

/** An answer is read to this size, so that a connection can be kept alive; a longer one costs the connection. */
const RESPONSE_CAP = 64 * 1024;
/** Of a failure's answer this much is kept for the operator. */
const EXCERPT = 1024;

export interface HttpRequest {
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  /** Name, value, name, value: what undici takes without copying. */
  readonly headers: readonly string[];
  /** The bytes that were signed. */
  readonly body: Buffer | null;
}

/** The keep-alive connections of all endpoints; actions that name the same endpoint share them. */
export class HttpSenders {
  private readonly senders = new Map<EndpointDefinition, HttpSender>();

  for(endpoint: EndpointDefinition): HttpSender {
    const sender = this.senders.get(endpoint) ?? new HttpSender(endpoint);
    this.senders.set(endpoint, sender);
    return sender;
  }

  /** Ends all connections; requests under way fail as interrupted. */
  async close(): Promise<void> {
    await Promise.all([...this.senders.values()].map((sender) => sender.close()));
  }
}

/** Keep-alive connections to one origin. Redirects are not followed. */
export class HttpSender {
  private readonly pool: Pool;

  constructor(private readonly endpoint: EndpointDefinition) {
    this.pool = new Pool(originOf(endpoint.url), {
      connections: endpoint.concurrency,
      pipelining: 1,
      connect: guardedConnector(new AddressPolicy(endpoint.allowAddresses, endpoint.name), endpoint.timeout),
      // One deadline of our own covers dialling, headers and body; undici's are per phase, and a dripping body resets them.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 10_000,
    });
  }

  /** Never rejects: what goes wrong is an outcome. */
  send(request: HttpRequest): Promise<Outcome> {
    return new Promise((resolve) => {
      const exchange = new Exchange(this.endpoint.timeout, resolve);
      this.pool.dispatch({ ...request, headers: request.headers as string[] }, exchange);
    });
  }

  async close(): Promise<void> {
    await this.pool.destroy(new InterruptedError());
  }
}

/** The origin holds no template (checked when the file is loaded), so the path begins at the first slash after it. */
export function splitUrl(url: string): [origin: string, path: string] {
  const [, origin = url, path = ''] = /^(https?:\/\/[^/?#]+)([^#]*)/i.exec(url) ?? [];
  return [origin, path.startsWith('/') ? path : `/${path}`];
}

function originOf(url: string): string {
  return new URL(splitUrl(url)[0]).origin;
}

class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** One request and its answer. undici's `dispatch` with a handler costs half of `request`, which makes a stream of every body. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private readonly timer: NodeJS.Timeout;
  private status: number | null = null;
  private retryAfter: number | null = null;
  private readonly chunks: Buffer[] = [];
  private received = 0;
  private expired = false;

  constructor(
    private readonly timeout: number,
    private readonly resolve: (outcome: Outcome) => void,
  ) {
    this.timer = setTimeout(() => this.expire(), timeout);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.expired) controller.abort(new DeadlineError());
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.status = status;
    this.retryAfter = parseRetryAfter(String(headers['retry-after'] ?? ''), Date.now());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.succeeded && this.received < EXCERPT) this.chunks.push(chunk.subarray(0, EXCERPT - this.received));
    this.received += chunk.length;
    if (this.received > RESPONSE_CAP) {
      this.settle();
      controller.abort(new Error('the answer is longer than 64 KiB'));
    }
  }

  onResponseEnd(): void {
    this.settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // The status was in: what became of the body changes nothing.
    if (this.status !== null) return this.settle();
    this.finish(this.expired ? this.deadlineOutcome() : failureOf(error));
  }

  private expire(): void {
    this.expired = true;
    if (this.status !== null) this.settle();
    else this.finish(this.deadlineOutcome());
    this.controller?.abort(new DeadlineError());
  }

  private get succeeded(): boolean {
    return this.status !== null && this.status >= 200 && this.status < 300;
  }

  private deadlineOutcome(): Outcome {
    return failed('timeout', `no answer within ${this.timeout} ms`);
  }

  private settle(): void {
    const { status } = this;
    if (this.succeeded || status === null) return this.finish({ ok: true, status });
    const excerpt = this.chunks.length > 0 ? Buffer.concat(this.chunks).toString('utf8') : null;
    const [error, message] = describeStatus(status);
    this.finish(failed(error, message, { status, retryAfter: this.retryAfter, excerpt }));
  }

  private finish(outcome: Outcome): void {
    clearTimeout(this.timer);
    this.resolve(outcome);
  }
}

function describeStatus(status: number): [ErrorKind, string] {
  if (status === 410) return ['gone', 'the receiver says that this endpoint is gone for good (410)'];
  if (status >= 300 && status < 400)
    return ['redirect', `the receiver answered with a redirect (${status}), and redirects are not followed`];
  return ['http_status', `the receiver answered ${status}`];
}

/** `Retry-After` in seconds or as a date, to milliseconds from now; null for what is neither, or lies in the past. */
export function parseRetryAfter(value: string, now: number): number | null {
  const text = value.trim();
  const milliseconds = /^\d+$/.test(text) ? Number(text) * 1_000 : /[a-z]/i.test(text) ? Date.parse(text) - now : NaN;
  return milliseconds >= 0 ? Math.min(milliseconds, Number.MAX_SAFE_INTEGER) : null;
}

function failureOf(error: Error): Outcome {
  const kind = kindOf(error);
  return failed(kind, kind === 'tls' ? tlsMessage(error) : messageOf(error));
}

/** It did not come to the receiver: this machine has no way to it, or to anybody. */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EMFILE', 'ENFILE']);

function kindOf(error: Error): ErrorKind {
  if (error instanceof BlockedAddressError) return 'blocked_address';
  if (error instanceof InterruptedError) return 'interrupted';
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return kindOf(error.errors[0]);
  const { code = '' } = error as { code?: string };
  if (NO_ROUTE.has(code)) return 'network';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'timeout';
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return 'configuration';
  return isTlsFailure(code) ? 'tls' : 'connection';
}
