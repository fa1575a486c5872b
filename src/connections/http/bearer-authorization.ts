import type { Clock } from '../../event/clock';
import type { EndpointDefinition, OAuth2Auth } from '../../event/definitions';
import { failed, STOPPING, type Failed, type Outcome } from '../../event/outcome';
import type { Authorization, Authorized } from './authorization';
import type { HttpRequest } from './http-exchange';
import { TOKEN_SOURCES, type Token, type TokenSource } from './token-source';

/** A second token that is refused as well is the receiver's last word; one that has grown older, in milliseconds, is fetched anew all the same. */
const FRESH = 30_000;

/** `Authorization: Bearer`, with a token that was fetched with the client's credentials. */
export class BearerAuthorization implements Authorization {
  private readonly source: TokenSource;
  private readonly leave: () => void;
  private closed = false;
  /** What each who waits for a token is interrupted by. */
  private readonly waiting = new Set<() => void>();
  private lastRefused: Token | null = null;
  /** Tokens that this receiver refused, one after the other, and took none in between. */
  private refusedInRow = 0;

  constructor(
    private readonly auth: OAuth2Auth,
    endpoint: EndpointDefinition,
    clock: Clock,
  ) {
    [this.source, this.leave] = TOKEN_SOURCES.use(auth, endpoint, clock);
  }

  async authorize(request: HttpRequest, timeout: number): Promise<Authorized | Failed> {
    if (this.closed) return STOPPING;
    const found = this.source.get();
    const token = found instanceof Promise ? await this.patiently(found, timeout) : found;
    if ('error' in token) return token;
    const headers = [...request.headers, 'authorization', `Bearer ${token.value}`];
    return { request: { ...request, headers }, judged: (outcome) => this.judged(outcome, token) };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const interrupt of this.waiting) interrupt();
    this.leave();
  }

  /** Others may go on waiting: the request for the token is theirs too. */
  private patiently(fetching: Promise<Token | Failed>, timeout: number): Promise<Token | Failed> {
    return new Promise((resolve, reject) => {
      const late = failed('token', `no access token from ${new URL(this.auth.tokenUrl).host} within ${timeout} ms`);
      const end = (result: Token | Failed): void => {
        clearTimeout(timer);
        this.waiting.delete(interrupt);
        resolve(result);
      };
      const interrupt = (): void => end(STOPPING);
      const timer = setTimeout(() => end(late), timeout);
      this.waiting.add(interrupt);
      fetching.then(end, reject);
    });
  }

  private judged(outcome: Outcome, token: Token): Outcome {
    if (outcome.ok) this.refusedInRow = 0;
    if (outcome.ok || outcome.error !== 'http_status' || outcome.status !== 401) return outcome;
    // Another try has dropped it already.
    if (!this.source.isCurrent(token)) return again(outcome);
    if (token !== this.lastRefused) this.refusedInRow++;
    this.lastRefused = token;
    const last = this.refusedInRow > 1;
    if (!last || this.source.ageOf(token) > FRESH) this.source.drop(token);
    return last ? { ...outcome, message: `${outcome.message}, also to an access token that was fetched anew` } : again(outcome);
  }
}

function again(outcome: Failed): Failed {
  return { ...outcome, error: 'token_refused', message: `${outcome.message} to the access token; the next try goes with a new one` };
}
