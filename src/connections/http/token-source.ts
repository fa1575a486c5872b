import type { Clock } from '../../event/clock';
import type { EndpointDefinition, OAuth2Auth } from '../../event/definitions';
import type { Failed } from '../../event/outcome';
import { OriginPool } from './origin-pool';
import { grantIn, tokenFailure, tokenRequest, type Grant } from './token-request';

/** A request for a token takes no longer, in milliseconds; a delivery waits for it no longer than its endpoint's `timeout`. */
const PATIENCE = 10_000;
/** Of a token's lifetime, at most: from then on the next one is fetched, while this one is used. */
const RENEW_BEFORE = 60_000;
/** A token is not used in its last moments: the clocks may differ, and the request is on its way for a while. */
const UNUSED_BEFORE = 10_000;
/** A server that has failed is asked again no sooner; what it says in Retry-After is kept to the longer. */
const LEAVE_ALONE = 1_000;
const LEAVE_ALONE_LONGEST = 300_000;

/** Times are monotonic milliseconds. */
export interface Token {
  readonly value: string;
  readonly fetchedAt: number;
  readonly renewAt: number;
  readonly until: number;
}

/** One client's tokens: one request for all who wait, and one token for all who ask. */
export class TokenSource {
  /** Written by `fetch` and `drop`. */
  private current: Token | null = null;
  private fetching: Promise<Token | Failed> | null = null;
  private failure: { readonly failed: Failed; readonly until: number } | null = null;
  private pool: OriginPool | null = null;

  constructor(
    private readonly auth: OAuth2Auth,
    private readonly endpoint: EndpointDefinition,
    private readonly clock: Clock,
  ) {}

  /** At once where there is one. Never rejects. */
  get(): Token | Failed | Promise<Token | Failed> {
    const now = this.clock.monotonic();
    const { current, failure } = this;
    const leftAlone = failure !== null && now < failure.until;
    if (current !== null && now < current.until) {
      if (now >= current.renewAt && !leftAlone) void this.fetchOnce();
      return current;
    }
    if (!leftAlone) return this.fetchOnce();
    const { failed, until } = failure;
    return { ...failed, retryAfter: failed.retryAfter === null ? null : until - now };
  }

  isCurrent(token: Token): boolean {
    return this.current === token;
  }

  /** A receiver refused it: the next one is fetched. */
  drop(token: Token): void {
    if (this.current === token) this.current = null;
  }

  ageOf(token: Token): number {
    return this.clock.monotonic() - token.fetchedAt;
  }

  /** Who waits for a token is told that it was interrupted. */
  close(): void {
    void this.pool?.close();
  }

  private fetchOnce(): Promise<Token | Failed> {
    this.fetching ??= this.fetch().finally(() => (this.fetching = null));
    return this.fetching;
  }

  private async fetch(): Promise<Token | Failed> {
    const began = this.clock.monotonic();
    const granted = await this.ask();
    if ('error' in granted) {
      const wait = Math.min(Math.max(LEAVE_ALONE, granted.retryAfter ?? 0), LEAVE_ALONE_LONGEST);
      this.failure = { failed: granted, until: this.clock.monotonic() + wait };
      return granted;
    }
    const { value, lifetime } = granted;
    // Of a short lifetime, a part of it.
    const before = (longest: number, share: number): number => began + lifetime - Math.min(longest, lifetime * share);
    this.failure = null;
    this.current = { value, fetchedAt: began, renewAt: before(RENEW_BEFORE, 0.25), until: before(UNUSED_BEFORE, 0.1) };
    return this.current;
  }

  /** On a connection of its own: it is needed once an hour. */
  private async ask(): Promise<Grant | Failed> {
    const { origin, host, pathname, search } = new URL(this.auth.tokenUrl);
    const pool = new OriginPool({ ...this.endpoint, timeout: PATIENCE, concurrency: 1, tls: this.auth.tls }, origin);
    this.pool = pool;
    try {
      const [outcome, body] = await pool.fetch(tokenRequest(this.auth, pathname + search));
      return outcome.ok ? grantIn(body.toString('utf8'), host) : tokenFailure(outcome, host);
    } finally {
      this.pool = null;
      void pool.close();
    }
  }
}

interface Shared {
  readonly source: TokenSource;
  users: number;
}

/** The sources of a process, by what they ask and how: endpoints with the same client share one, and a changed secret is another client. */
class TokenSources {
  private readonly shared = new Map<string, Shared>();

  /** @returns the source, and what gives it back: when nobody uses it any more its token is forgotten */
  use(auth: OAuth2Auth, endpoint: EndpointDefinition, clock: Clock): readonly [TokenSource, leave: () => void] {
    const key = JSON.stringify([auth, endpoint.allowAddresses, endpoint.proxy]);
    const shared = this.shared.get(key) ?? { source: new TokenSource(auth, endpoint, clock), users: 0 };
    this.shared.set(key, shared);
    shared.users++;
    const leave = (): void => {
      shared.users--;
      if (shared.users > 0) return;
      this.shared.delete(key);
      shared.source.close();
    };
    return [shared.source, leave];
  }
}

export const TOKEN_SOURCES = new TokenSources();
