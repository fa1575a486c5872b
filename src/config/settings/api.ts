import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RateLimit } from '../../event/definitions';
import { ExitCode, messageOf, OperatorError } from '../../event/errors';
import { parseRate, RATE } from '../units';
import type { Setting } from './kinds';

/** What a token allows; `write` implies `read`. */
export type ApiScope = 'read' | 'write';

/** A token of the API as it is kept: never the token itself. */
export interface ApiToken {
  readonly scope: ApiScope;
  /** SHA-256 of the token. */
  readonly hash: Buffer;
}

/** Shorter ones can be guessed. */
const SHORTEST = 16;
const ENTRY = /^(read|write):(?:sha256:([\da-f]{64})|([\w.~+/=-]{16,512}))$/i;

const TOKEN_EXPECTED = `read:TOKEN or write:TOKEN, where a token has ${SHORTEST} to 512 characters (letters, digits, and .~+/=-_) or is given as sha256: and 64 hexadecimal digits`;

/** One entry. @returns null when it is none; what is wrong is never told with the entry, which may hold a token */
function parseApiToken(entry: string): ApiToken | null {
  const [, scope, hex, token] = ENTRY.exec(entry) ?? [];
  // Scopes are words of ours, in lower case as everywhere.
  if (scope !== 'read' && scope !== 'write') return null;
  return { scope, hash: token === undefined ? Buffer.from(hex ?? '', 'hex') : hashOf(token) };
}

export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export const apiTokens: Setting<readonly ApiToken[] | null> = {
  variable: 'OBSERVERS_API_TOKENS',
  secret: true,
  description: 'who may use the API: read:TOKEN,write:TOKEN; without any it answers only to this machine',
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
  description: 'file with tokens of the API, one a line as in OBSERVERS_API_TOKENS; lines that begin with # are comments',
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

/** The tokens of the setting and of its file together. @throws OperatorError when the file cannot be read, or a line of it is none */
export function readApiTokens(given: readonly ApiToken[] | null, path: string | null): readonly ApiToken[] {
  return [...(given ?? []), ...(path === null ? [] : tokensIn(path))];
}

function tokensIn(path: string): ApiToken[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = String((error as { code?: string }).code ?? messageOf(error));
    throw refusal(
      `the file of OBSERVERS_API_TOKENS_FILE cannot be read: ${path}: ${reason}`,
      'Correct the path, or the rights of the file.',
    );
  }
  const tokens = text.split(/\r?\n/).flatMap((line, i): ApiToken[] => {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) return [];
    const token = parseApiToken(entry);
    if (token === null) throw refusal(`${path}:${i + 1} is not a token of the API`, `Expected ${TOKEN_EXPECTED}.`);
    return [token];
  });
  // Somebody who names a file wants tokens: an empty one must not open the API to everybody on this machine.
  if (tokens.length === 0) throw refusal(`${path} (OBSERVERS_API_TOKENS_FILE) holds no token`, `Expected lines with ${TOKEN_EXPECTED}.`);
  return tokens;
}

function refusal(message: string, remedy: string): OperatorError {
  return new OperatorError(message, remedy, ExitCode.configuration);
}
