import type { Dispatcher } from 'undici';
import type { EndpointDefinition } from '../../event/definitions';
import { messageOf } from '../../event/errors';
import { failed, withoutSecrets, type ErrorKind, type Outcome } from '../../event/outcome';
import { secretsOf } from '../../event/secrets';
import { badAnswer, DeadlineError, networkFailure } from './network-failure';
import { ProxyError } from './proxy-connector';
import { retryAfterOf } from './retry-after';
import { tlsMessage } from './tls-failure';

/** An answer is read to this size, so that a connection can be kept alive; a longer one costs the connection. */
const RESPONSE_CAP = 64 * 1024;
/** Bytes of a failure's answer that are kept for the operator. */
const EXCERPT = 1024;

export interface HttpRequest {
  readonly path: string;
  readonly method: Dispatcher.HttpMethod;
  /** Name, value, name, value: what undici takes without copying. */
  readonly headers: readonly string[];
  /** The bytes that were signed. */
  readonly body: Buffer | null;
}

/** One request and its answer. undici's `dispatch` with a handler costs half of `request`, which makes a stream of every body. */
export class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private readonly timer: NodeJS.Timeout;
  private status: number | null = null;
  private retryAfter: number | null = null;
  private readonly chunks: Buffer[] = [];
  private received = 0;
  private expired = false;
  private complete = false;

  /**
   * @param headers of the request
   * @param timeout what is left of the endpoint's, in milliseconds
   * @param whole whether the body of a success is kept, and must be all there
   */
  constructor(
    private readonly endpoint: EndpointDefinition,
    private readonly headers: readonly string[],
    timeout: number,
    private readonly whole: boolean,
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
    this.retryAfter = retryAfterOf(headers['retry-after'], Date.now());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const kept = this.succeeded ? (this.whole ? RESPONSE_CAP : 0) : EXCERPT;
    if (this.received < kept) this.chunks.push(chunk.subarray(0, kept - this.received));
    this.received += chunk.length;
    if (this.received > RESPONSE_CAP) {
      this.settle();
      controller.abort(new Error('the answer is longer than 64 KiB'));
    }
  }

  onResponseEnd(): void {
    this.complete = true;
    this.settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // The status was in: what became of the body changes nothing.
    if (this.status !== null) return this.settle();
    this.finish(this.expired ? this.deadlineOutcome() : failureOf(error, this.endpoint));
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
    const { timeout, proxy } = this.endpoint;
    return failed('timeout', `no answer within ${timeout} ms${proxy === null ? '' : `, through the proxy ${new URL(proxy).host}`}`);
  }

  private settle(): void {
    const { status } = this;
    if (this.succeeded && this.whole && !this.complete) return this.finish(this.cutOff());
    if (this.succeeded || status === null) return this.finish({ ok: true, status });
    const excerpt = this.chunks.length > 0 ? Buffer.concat(this.chunks).toString('utf8') : null;
    const [error, message] = describeStatus(status);
    this.finish(failed(error, message, { status, retryAfter: this.retryAfter, excerpt }));
  }

  private cutOff(): Outcome {
    if (this.expired) return failed('timeout', `the answer was not whole within ${this.endpoint.timeout} ms`, { status: this.status });
    const why = this.received > RESPONSE_CAP ? 'the answer is longer than 64 KiB' : 'the answer broke off';
    return failed('connection', why, { status: this.status });
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  private finish(outcome: Outcome): void {
    clearTimeout(this.timer);
    this.resolve(outcome.ok || outcome.excerpt === null ? outcome : withoutSecrets(withoutSecrets(outcome), secretsOf(this.headers)));
  }
}

function describeStatus(status: number): [ErrorKind, string] {
  if (status === 410) return ['gone', 'the receiver says that this endpoint is gone for good (410)'];
  if (status >= 300 && status < 400)
    return ['redirect', `the receiver answered with a redirect (${status}), and redirects are not followed`];
  return ['http_status', `the receiver answered ${status}`];
}

function failureOf(error: Error, { tls }: EndpointDefinition): Outcome {
  if (error instanceof ProxyError) return failed('proxy', error.message, { status: error.status });
  const kind = networkFailure(error);
  const unread = badAnswer(error);
  if (unread !== null) return failed(kind, unread);
  const { code = '' } = error as { code?: string };
  // Node's servers, for one, send no alert when they do not trust a certificate: they hang up.
  if (kind === 'connection' && /^(ECONNRESET|UND_ERR_SOCKET)$/.test(code) && (tls?.cert ?? null) !== null)
    return failed(kind, `${messageOf(error)}; a receiver that does not accept the client certificate may hang up so`);
  return failed(
    kind,
    kind === 'tls' ? tlsMessage(error, (tls?.ca ?? null) === null ? UNKNOWN_TO_MACHINE : NOT_IN_CA_FILE) : messageOf(error),
  );
}

const UNKNOWN_TO_MACHINE =
  "the receiver's certificate comes from no authority that this machine trusts; if it is meant, give tls: { ca_file: … } on the endpoint, or start the service with NODE_EXTRA_CA_CERTS=<file with the authority's certificate>";
const NOT_IN_CA_FILE =
  "the receiver's certificate comes from no authority in the endpoint's ca_file; if it is meant, put the certificate of its authority there";
