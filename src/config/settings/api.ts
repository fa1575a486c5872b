import { createHash } from 'node:crypto';
import { type Bounds } from '../../event/bounds';
import type { RateLimit } from '../../event/definitions';
import { parseRate, RATE } from '../units';
import { decoded } from '../url-parts';
import type { Setting } from './kinds';

/** What a token allows; `write` implies `read`. */
export type ApiScope = 'read' | 'write';

/** A token of the API as it is kept: never the token itself. */
export interface ApiToken {
  readonly scope: ApiScope;
  /** SHA-256 of the token. */
  readonly hash: Buffer;
  /** Milliseconds since 1970 from which on it is known no longer; null: it does not expire. */
  readonly expires: number | null;
  readonly bounds: Bounds;
}

/** Shorter ones can be guessed. */
const SHORTEST = 16;
const ENTRY = /^(read|write):(?:sha256:([\da-f]{64})|([\w.~+/=-]{16,512}))((?:;[^;]*)*)$/i;
const OPTION = /^(expires|tenant|observer)=(.+)$/;
/** As PostgreSQL writes it. */
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

export const TOKEN_EXPECTED = `read:TOKEN or write:TOKEN, where a token has ${SHORTEST} to 512 characters (letters, digits, and .~+/=-_) or is given as sha256: and 64 hexadecimal digits; behind it may stand ;expires=2027-01-31T00:00:00Z, ;tenant=NAME and ;observer=NAME`;

/** One entry. @returns null when it is none; what is wrong is never told with the entry, which may hold a token */
export function parseApiToken(entry: string): ApiToken | null {
  const [, scope, hex, token, rest = ''] = ENTRY.exec(entry) ?? [];
  const options = optionsIn(rest);
  // Scopes are words of ours, in lower case as everywhere.
  if ((scope !== 'read' && scope !== 'write') || options === null) return null;
  return { scope, hash: token === undefined ? Buffer.from(hex ?? '', 'hex') : hashOf(token), ...options };
}

/** `;expires=…;tenant=…`. @returns null when one of them is none: a token that was to be bound must not be free by a slip of the pen */
function optionsIn(rest: string): Pick<ApiToken, 'expires' | 'bounds'> | null {
  let expires: number | null = null;
  const bound: Record<'tenant' | 'observer', string[]> = { tenant: [], observer: [] };
  for (const part of rest.split(';').slice(1)) {
    const [, name, written] = OPTION.exec(part.trim()) ?? [];
    // Names may hold what separates entries and options: as in a URL, %2C and %3B.
    const value = written === undefined ? null : decoded(written);
    if (value === null) return null;
    if (name === 'tenant') bound.tenant.push(UUID.test(value) ? value.toLowerCase() : value);
    else if (name === 'observer') bound.observer.push(value);
    else if (expires !== null || !MOMENT.test(value) || Number.isNaN(Date.parse(value))) return null;
    else expires = Date.parse(value);
  }
  const namesOf = (names: readonly string[]): readonly string[] | null => (names.length === 0 ? null : names);
  return { expires, bounds: { tenants: namesOf(bound.tenant), observers: namesOf(bound.observer) } };
}

export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export const apiTokens: Setting<readonly ApiToken[] | null> = {
  variable: 'OBSERVERS_API_TOKENS',
  secret: true,
  description:
    'who may use the API: read:TOKEN,write:TOKEN; without any it answers only to this machine, and writes need the token in the data folder',
  default: null,
  parse: (value) => {
    const tokens = value.split(',').map((entry) => parseApiToken(entry.trim()));
    const known = tokens.filter((token) => token !== null);
    return known.length === tokens.length ? { value: known } : { expected: `${TOKEN_EXPECTED}; several with commas between` };
  },
  show: (value) => (value ?? []).map(({ scope }) => `${scope}:***`).join(','),
};

export const apiTokensFile: Setting<string | null> = {
  variable: 'OBSERVERS_API_TOKENS_FILE',
  description:
    'file with tokens of the API, one a line as in OBSERVERS_API_TOKENS; lines that begin with # are comments; read again when it changes',
  default: null,
  parse: (value) => (/^\w+:\/\//.test(value) ? { expected: 'the path of a file with tokens' } : { value }),
  show: (value) => value ?? '',
};

export const apiRate: Setting<RateLimit> = {
  variable: 'OBSERVERS_API_RATE',
  shape: { type: 'string', pattern: RATE.source },
  description: 'requests to the API that one address may make; probes and /metrics are not counted',
  default: '50/s',
  parse: (value) => {
    const rate = parseRate(value);
    return rate === null || rate.count === 0 ? { expected: 'a rate such as 50/s or 1000/m' } : { value: rate };
  },
  show: ({ count, per }) => `${count}/${per === 1_000 ? 's' : per === 60_000 ? 'm' : 'h'}`,
};

/** Up to its path, without a slash at the end. */
export const advertiseUrl: Setting<string | null> = {
  variable: 'OBSERVERS_ADVERTISE_URL',
  description:
    'where other instances reach the API of this one, to pass on what only the leader can answer; without it the address that it listens on',
  default: null,
  parse: (value) => (isPlainUrl(value) ? { value: value.replace(/\/+$/, '') } : { expected: 'a URL such as https://observers-0.example:8700, without user, query and fragment' }), // prettier-ignore
  show: (value) => value ?? '',
};

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}
