import { SECRETS } from '../event/secrets';

/**
 * What came from a receiver may hold U+0000 or half a surrogate pair, which PostgreSQL's text cannot; it must not stop the ledger.
 * What only some encodings of databases lack is the connection's business.
 */
export function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** The same of what was made by somebody else: a receiver may give back what it was sent. */
export function recordable(text: string | null): string | null {
  return text === null ? null : storable(SECRETS.hide(text));
}
