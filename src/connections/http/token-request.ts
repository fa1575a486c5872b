import type { OAuth2Auth } from '../../event/definitions';
import { failed, type Failed } from '../../event/outcome';
import { SECRETS } from '../../event/secrets';
import type { HttpRequest } from './http-exchange';

/** Of a token whose server names no lifetime, or one that is none; milliseconds. A receiver that refuses it sooner says so by 401. */
const DEFAULT_LIFETIME = 300_000;
/** Whatever its server says, it is fetched anew once a day. */
const LONGEST_LIFETIME = 24 * 3_600_000;
/** What may stand in a header behind `Bearer`. */
const TOKEN = /^[\x21-\x7e]+$/;
/** Words of RFC 6749 that name a fault of the server, not of the client. */
const PASSING = new Set(['server_error', 'temporarily_unavailable', 'slow_down']);

/** What a server granted. */
export interface Grant {
  readonly value: string;
  /** Milliseconds from when it was asked for. */
  readonly lifetime: number;
}

/** The request for a token: client credentials (RFC 6749, 4.4), id and secret encoded as in a form (2.3.1). */
export function tokenRequest({ clientId, clientSecret, scope, audience, clientAuth }: OAuth2Auth, path: string): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== null) form.set('scope', scope);
  if (audience !== null) form.set('audience', audience);
  const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json', 'user-agent', 'fraiseql-observers'];
  if (clientAuth === 'body') {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  } else {
    headers.push('authorization', `Basic ${Buffer.from(`${inForm(clientId)}:${inForm(clientSecret)}`).toString('base64')}`);
  }
  return { path, method: 'POST', headers, body: Buffer.from(form.toString()) };
}

function inForm(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** What stands in the answer of a server that answered 2xx. */
export function grantIn(answer: string, server: string): Grant | Failed {
  const fields = fieldsOf(answer);
  if (fields === null) return failed('token', `the token server ${server} answered with what is no JSON object; see to token_url`);
  const { access_token: value, token_type: type, expires_in: seconds } = fields;
  // Some say what is wrong under a status of success.
  if (value === undefined && wordIn(answer) !== null) return refusalOf(server, 200, answer);
  if (typeof value !== 'string' || !TOKEN.test(value))
    return failed('token', `the token server ${server} answered without an access_token`);
  SECRETS.rememberFetched(value, '[access token]');
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer')
    return failed('configuration', `the token server ${server} grants no Bearer tokens, and others cannot be used`);
  return { value, lifetime: lifetimeOf(seconds) };
}

function lifetimeOf(expiresIn: unknown): number {
  const milliseconds = typeof expiresIn === 'string' || typeof expiresIn === 'number' ? Number(expiresIn) * 1_000 : NaN;
  return milliseconds > 0 ? Math.min(milliseconds, LONGEST_LIFETIME) : DEFAULT_LIFETIME;
}

/** What a request for a token failed with, as the delivery's own outcome. */
export function tokenFailure(outcome: Failed, server: string): Failed {
  const { error, status, excerpt } = outcome;
  if (error === 'interrupted') return outcome;
  if (error === 'http_status' || error === 'gone' || error === 'redirect') {
    const again = status === 408 || status === 425 || status === 429 || (status ?? 0) >= 500 || PASSING.has(wordIn(excerpt ?? '') ?? '');
    if (!again) return { ...refusalOf(server, status, excerpt ?? ''), excerpt };
    return { ...outcome, error: 'token', message: `the token server ${server} answered ${status}${said(excerpt)}` };
  }
  const why = `no access token from ${server}: ${outcome.message}`;
  // What no second try makes better stays what it is, and where it is: at the token server.
  const lasting = error === 'blocked_address' || error === 'tls' || error === 'configuration';
  return { ...outcome, error: lasting ? error : 'token', status: null, message: why };
}

const REMEDIES: Readonly<Record<string, string>> = {
  invalid_client: 'correct client_id, client_secret or client_auth',
  unauthorized_client: 'the client may not have tokens of its own (client_credentials); have that allowed there',
  access_denied: 'the client may not have this token; have that allowed there',
  invalid_scope: 'correct scope',
  invalid_target: 'correct audience',
  unsupported_grant_type: 'the server grants no client_credentials; have that allowed there',
};

function refusalOf(server: string, status: number | null, answer: string): Failed {
  const remedy = REMEDIES[wordIn(answer) ?? ''] ?? 'correct token_url or the client';
  return failed(
    'configuration',
    `the token server ${server} refuses the client: ${status}${said(answer)}; ${remedy} in the endpoint's auth`,
  );
}

function said(answer: string | null): string {
  const word = wordIn(answer ?? '');
  return word === null ? '' : ` ${word}`;
}

/** The error's own word (RFC 6749, 5.2), by which people look it up. */
function wordIn(answer: string): string | null {
  const { error } = fieldsOf(answer) ?? {};
  return typeof error === 'string' && /^[\w.-]{1,60}$/.test(error) ? error : null;
}

function fieldsOf(answer: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(answer);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
