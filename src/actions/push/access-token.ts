import { sign } from 'node:crypto';
import { request } from 'undici';
import type { FcmCredentials } from '../../config/fcm-credentials';
import { messageOf } from '../../event/errors';
import { retryAfterOf } from '../../connections/http/retry-after';
import { failed, type Failed } from '../../event/outcome';
import { SECRETS } from '../../event/secrets';

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
/** Google grants an hour; a token is not used in its last minute, for the clocks may differ. */
const LIFETIME = 3_600;
const MARGIN = 60_000;
const PATIENCE = 10_000;

interface Token {
  readonly value: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** OAuth 2.0 access tokens of a service account: a signed assertion for a token (RFC 7523), one request for all who wait. */
export class AccessTokens {
  private current: Token | null = null;
  private fetching: Promise<Token | Failed> | null = null;

  constructor(private readonly credentials: FcmCredentials) {}

  /** @returns the token, or why there is none */
  async get(): Promise<string | Failed> {
    if (this.current !== null && this.current.until > performance.now()) return this.current.value;
    this.fetching ??= this.fetch().finally(() => (this.fetching = null));
    const fetched = await this.fetching;
    if ('ok' in fetched) return fetched;
    this.current = fetched;
    return fetched.value;
  }

  /** It was refused: the next one is fetched. */
  forget(token: string): void {
    if (this.current?.value === token) this.current = null;
  }

  private async fetch(): Promise<Token | Failed> {
    const began = performance.now();
    try {
      const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: this.assertion() });
      const { statusCode, headers, body } = await request(this.credentials.tokenUri, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
        signal: AbortSignal.timeout(PATIENCE),
      });
      const text = await body.text();
      if (statusCode === 200) return tokenIn(text, began);
      const word = /"error"\s*:\s*"(\w{1,50})"/.exec(text)?.[1] ?? 'no reason given';
      const about = (what: string): string => `the service account of OBSERVERS_FCM_CREDENTIALS ${what}: ${statusCode} ${word}`;
      if (statusCode === 429 || statusCode >= 500) {
        const retryAfter = retryAfterOf(headers['retry-after'], Date.now());
        return failed('connection', about('could not be used'), { status: statusCode, retryAfter });
      }
      // Other 4xx: the account was deleted, its key revoked, or the clock of this machine is wrong. No try makes that better by itself.
      return failed('configuration', about('was refused'));
    } catch (error) {
      return failed('connection', `the token server of the service account does not answer: ${messageOf(error)}`);
    }
  }

  private assertion(): string {
    const { clientEmail, tokenUri, privateKey } = this.credentials;
    const iat = Math.floor(Date.now() / 1_000);
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const claims = { iss: clientEmail, scope: SCOPE, aud: tokenUri, iat, exp: iat + LIFETIME };
    const unsigned = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
    return `${unsigned}.${sign('RSA-SHA256', Buffer.from(unsigned), privateKey).toString('base64url')}`;
  }
}

function tokenIn(text: string, began: number): Token | Failed {
  const { access_token: value, expires_in: seconds } = JSON.parse(text) as { access_token?: unknown; expires_in?: unknown };
  if (typeof value !== 'string' || value === '') return failed('connection', 'the token server answered without a token');
  SECRETS.rememberFetched(value, '[access token]');
  return { value, until: began + (typeof seconds === 'number' ? seconds : LIFETIME) * 1_000 - MARGIN };
}
