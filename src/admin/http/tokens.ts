import { timingSafeEqual } from 'node:crypto';
import { hashOf, type ApiScope, type ApiToken } from '../../config/settings/api';
import { UNBOUND, type Bounds } from '../../event/bounds';
import type { Clock } from '../../event/clock';

/** Who is behind a token: its scope, to what it is bound, and a name for the history that gives nothing away. */
export interface Holder {
  readonly scope: ApiScope;
  readonly name: string;
  readonly bounds: Bounds;
}

/** The tokens that the API knows, as hashes. Written by TokenWatch, when a file of them has changed. */
export class Tokens {
  private known: readonly ApiToken[] = [];
  /** The service has made it itself, for this machine alone. */
  private local: ApiToken | null = null;

  /**
   * @param configured whether somebody gave the service tokens: then it answers others than this machine too, also when all of them are revoked
   * @param localFile where the token of this machine is; null where there is none
   */
  constructor(
    readonly configured: boolean,
    readonly localFile: string | null,
    private readonly clock: Clock,
  ) {}

  know(tokens: readonly ApiToken[]): void {
    this.known = tokens;
  }

  knowLocal(token: string | null): void {
    this.local = token === null ? null : { scope: 'write', hash: hashOf(token), expires: null, bounds: UNBOUND };
  }

  /** All are looked at, whatever the first says: the time tells nothing. @returns null for an unknown one */
  find(token: string): Holder | 'expired' | null {
    const hash = hashOf(token);
    let found: ApiToken | null = null;
    for (const one of this.local === null ? this.known : [...this.known, this.local]) if (timingSafeEqual(one.hash, hash)) found = one;
    if (found === null) return null;
    const { scope, expires, bounds } = found;
    if (expires !== null && this.clock.now() >= expires) return 'expired';
    return { scope, bounds, name: `api token ${hash.toString('hex').slice(0, 8)}` };
  }
}

/** `Bearer TOKEN`. @returns null for anything else */
export function bearerOf(header: string): string | null {
  return /^Bearer +([\w.~+/=-]{1,512}) *$/i.exec(header)?.[1] ?? null;
}
