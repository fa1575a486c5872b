import { timingSafeEqual } from 'node:crypto';
import { hashOf, type ApiScope, type ApiToken } from '../../config/settings/api';

/** Who is behind a token: its scope, and a name for the history that gives nothing away. */
export interface Holder {
  readonly scope: ApiScope;
  readonly name: string;
}

/** The tokens that the API knows, as hashes. */
export class Tokens {
  constructor(private readonly known: readonly ApiToken[]) {}

  get none(): boolean {
    return this.known.length === 0;
  }

  /** All are looked at, whatever the first says: the time tells nothing. @returns null for an unknown one */
  find(token: string): Holder | null {
    const hash = hashOf(token);
    let scope: ApiScope | null = null;
    for (const one of this.known) if (timingSafeEqual(one.hash, hash) && scope !== 'write') scope = one.scope;
    return scope === null ? null : { scope, name: `api token ${hash.toString('hex').slice(0, 8)}` };
  }
}

/** `Bearer TOKEN`. @returns null for anything else */
export function bearerOf(header: string): string | null {
  return /^Bearer +([\w.~+/=-]{1,512}) *$/i.exec(header)?.[1] ?? null;
}
