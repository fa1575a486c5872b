import { z } from 'zod';
import { DURATION, parseDuration, RATE } from '../units';

// What an error should say lies in the messages; `describe` is what editors show.
const anyDuration = z.string().regex(DURATION, 'expected a duration such as 250ms, 10s, 5m, 1h or 3d');
// A delay becomes a date: it must stay one that PostgreSQL can hold.
export const delay = anyDuration.refine((text) => within(text, '0ms', '365d'), 'expected a duration of at most 365d');
// A timeout becomes a timer: one of more than 24.8 days would run out at once.
export const timeout = anyDuration.refine((text) => within(text, '1ms', '1h'), 'expected a duration from 1ms to 1h');
export const period = anyDuration.refine((text) => within(text, '1s', '30d'), 'expected a duration from 1s to 30d');
export const cached = anyDuration.refine((text) => within(text, '0ms', '30d'), 'expected a duration of at most 30d');
const span = anyDuration.refine((text) => within(text, '100ms', '1h'), 'expected a duration from 100ms to 1h');
// Deliveries of a batch hold places in memory while they wait.
export const batchWindow = anyDuration.refine((text) => within(text, '1ms', '10s'), 'expected a duration from 1ms to 10s');
export const NAME = /^[\w.-]{1,100}$/;
export const NAME_EXPECTED = 'expected a name of letters, digits, "-", "_" and "."';
export const name = z.string().regex(NAME, NAME_EXPECTED);
export const column = z.string().min(1, 'expected the name of a column');
export const url = z.string().min(1, 'expected a URL');
export const headers = z.record(z.string(), z.string());
export const concurrency = z.int().min(1).max(1_000);
const signing = z.strictObject({
  secrets: z
    .array(z.string())
    .min(1)
    .describe('whsec_… (HMAC-SHA256) or whsk_… (ed25519); the first is current, all sign during a rotation'),
});
const allowAddresses = z
  .array(z.string())
  .describe('CIDR blocks, addresses, host names, private or loopback; public addresses are always allowed');

const tlsFile = z.string().min(1, 'expected the path of a file');
const tls = z.strictObject({
  ca_file: tlsFile.optional().describe('the only authorities that are trusted, in PEM; default: those of this machine'),
  cert_file: tlsFile.optional().describe('the client certificate and its chain, in PEM'),
  key_file: tlsFile.optional().describe('its private key, in PEM'),
});

const value = z.string().min(1, 'expected a text that is not empty');
const oauth2 = z.strictObject({
  type: z.literal('oauth2'),
  token_url: url.describe('https; a token is fetched there, used until shortly before it ends, and goes along as Authorization: Bearer'),
  client_id: value,
  client_secret: value,
  scope: value.optional().describe('several with blanks between'),
  audience: value.optional().describe('for servers that want one'),
  client_auth: z.enum(['basic', 'body']).optional().describe('where id and secret stand in the request for a token; default basic'),
  tls: tls.optional().describe("of the token server; default: the endpoint's"),
});
const awsSigV4 = z.strictObject({
  type: z.literal('aws_sigv4'),
  region: value.describe('such as eu-central-1'),
  service: value.describe('such as execute-api, lambda, es or s3'),
  access_key_id: value,
  secret_access_key: value,
  session_token: value.optional().describe('of credentials that are lent for a while'),
});
const auth = z
  .discriminatedUnion('type', [oauth2, awsSigV4])
  .describe('how the service proves who it is: OAuth2 client credentials, or AWS Signature Version 4');
export const AUTH_TYPES: readonly string[] = [oauth2, awsSigV4].map(({ shape }) => shape.type.value);

const circuitBreaker = z
  .union([
    z.literal('off'),
    z.strictObject({
      failure_rate: z
        .number()
        .gt(0, 'expected a share between 0 and 1')
        .lt(1, 'expected a share between 0 and 1')
        .optional()
        .describe('it opens above this share of failures; default 0.5'),
      minimum: z.int().min(1).max(1_000_000).optional().describe('requests in the window, at least; default 20'),
      window: span.optional().describe('default 30s'),
      open_for: span.optional().describe('then one request at a time tries; default 30s'),
    }),
  ])
  .describe('leaves a failing receiver alone; what waits stands in PostgreSQL and uses up no attempt');

/** Keys of every destination that is reached by HTTP. */
export const destinationFields = {
  timeout: timeout.optional().describe('from dialling to the last byte of the answer; default 10s'),
  concurrency: concurrency.optional().describe('requests under way at once; default 32'),
  rate_limit: z
    .string()
    .regex(RATE, 'expected a rate such as 200/s, 1000/m or 50/h')
    .optional()
    .describe('requests begun, spread over the time; what has to wait stands in PostgreSQL'),
  circuit_breaker: circuitBreaker.optional(),
  allow_addresses: allowAddresses.optional(),
  tls: tls.optional().describe('paths are relative to the observers file; read when it is loaded'),
  auth: auth.optional(),
  proxy: z
    .string()
    .min(1, 'expected http://host:port')
    .optional()
    .describe('http://user:password@host:port of a proxy that makes tunnels (CONNECT)'),
};

export const endpointFields = { signing: signing.optional(), ...destinationFields };

/** Texts that are no duration pass: another check speaks of them. */
function within(text: string, least: string, most: string): boolean {
  const written = parseDuration(text);
  return written === null || (written >= (parseDuration(least) ?? 0) && written <= (parseDuration(most) ?? 0));
}
