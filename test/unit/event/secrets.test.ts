import { credentialsIn, Secrets, secretsOf } from '../../../src/event/secrets';

const SECRET = 'CANARY-"s3cr&t"/+<äß>\\x';

function knowing(...values: readonly string[]): Secrets {
  const secrets = new Secrets();
  values.forEach((value) => secrets.remember(value, '${TOKEN}'));
  return secrets;
}

const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

describe('a secret is found however a receiver writes it', () => {
  it.each<readonly [how: string, written: (secret: string) => string]>([
    ['as it is', (s) => s],
    ['in a header', (s) => `Authorization: Bearer ${s}, Host: x`],
    ['in JSON', json],
    ['in JSON within JSON', (s) => json(json(s))],
    ['in JSON of ASCII alone', (s) => ascii(json(s))],
    ['in JSON with slashes escaped', (s) => json(s).replaceAll('/', '\\/')],
    ['in JSON as a browser is given it', (s) => json(s).replaceAll('<', '\\u003c').replaceAll('>', '\\u003E').replaceAll('&', '\\u0026')],
    ['in a URL', encodeURIComponent],
    ['in a URL, in lower case', (s) => encodeURIComponent(s).replace(/%../g, (hex) => hex.toLowerCase())],
    ['in a URL within a URL', (s) => encodeURIComponent(encodeURIComponent(s))],
    ['in a form', (s) => new URLSearchParams([['k', s]]).toString()],
    ['in HTML', (s) => s.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')],
    ['in HTML by numbers', (s) => s.replace(/[^\w-]/g, (c) => `&#${c.charCodeAt(0)};`)],
    ['in base64', (s) => Buffer.from(s).toString('base64')],
    ['in base64url', (s) => Buffer.from(s).toString('base64url')],
    ['with a user in base64', (s) => Buffer.from(`user:${s}`).toString('base64')],
    ['in the PLAIN of SMTP', (s) => Buffer.from(`\0me\0${s}`).toString('base64')],
    ['in a longer base64', (s) => Buffer.from(`{"token":"${s}","more":1}`).toString('base64')],
    ['in base64 within JSON', (s) => json(Buffer.from(s).toString('base64')).replaceAll('/', '\\/')],
    ['in hexadecimal', (s) => Buffer.from(s).toString('hex')],
    ['in hexadecimal, in upper case', (s) => Buffer.from(s).toString('hex').toUpperCase()],
  ])('%s', (_how, written) => {
    const text = written(SECRET);
    const hidden = knowing(SECRET).hide(`before ${text} after`);
    expect(hidden).toContain('${TOKEN}');
    expect(hidden).toMatch(/^before .* after$/);
    // What is left of a base64 are the characters that its neighbours share.
    expect(hidden.length).toBeLessThan('before  after${TOKEN}'.length + text.length - SECRET.length + 8);
    for (let i = 0; i + 5 <= SECRET.length; i++) expect(hidden).not.toContain(SECRET.slice(i, i + 5));
  });

  it('cut at 1 KiB at any place, in any encoding', () => {
    const secrets = knowing(SECRET, 'k'.repeat(30));
    for (const text of [SECRET, json(SECRET), encodeURIComponent(SECRET), Buffer.from(SECRET).toString('base64')]) {
      for (let kept = 1; kept <= text.length; kept++) {
        const cut = `${'.'.repeat(1024 - kept)}${text.slice(0, kept)}`;
        const left = secrets.hide(cut).replaceAll('.', '').replace('${TOKEN}', '').replace('…', '');
        expect(left.length).toBeLessThan(8);
        expect(left).not.toMatch(/CANA|Q0FO/);
      }
    }
  });

  it('in part, where it is long: a key in PEM, a signed token', () => {
    const token = `eyJ${Buffer.from('x'.repeat(300)).toString('base64url')}.${'s'.repeat(80)}`;
    const pem = `-----BEGIN PRIVATE KEY-----\n${'A1b2'.repeat(16)}\n${'C3d4'.repeat(16)}\n-----END PRIVATE KEY-----\n`;
    const secrets = knowing(token, pem);
    expect(secrets.hide(`got ${token}!`)).toBe('got ${TOKEN}!');
    expect(secrets.hide(JSON.stringify(pem))).not.toMatch(/A1b2|C3d4/);
    expect(secrets.hide(`line ${'C3d4'.repeat(16)}`)).toBe('line ${TOKEN}');
  });
});

it('what is too short, or a number like a port, is in other words by chance', () => {
  const secrets = knowing('abc', '8080', '401401', ' ');
  expect(secrets.hide('abcdef 8080 401401')).toBe('abcdef 8080 401401');
});

it('the longer of two is found where one begins the other', () => {
  const secrets = new Secrets();
  secrets.remember('secret-1', '[short]');
  secrets.remember('secret-1-and-more', '[long]');
  expect(secrets.hide('secret-1-and-more secret-1')).toBe('[long] [short]');
});

it('fetched tokens are forgotten in the end, and configured ones are not', () => {
  const secrets = knowing('configured');
  for (let i = 0; i < 300; i++) secrets.rememberFetched(`fetched-token-${i}`, '[token]');
  expect(secrets.hide('configured fetched-token-0! fetched-token-299!')).toBe('${TOKEN} fetched-token-0! [token]!');
});

it('a request knows what its own headers say, whoever made it', () => {
  const hide = (text: string): string =>
    secretsOf(['Authorization', 'Bearer abc123', 'x-order', '4711-4711', 'X-Api-Key', 'k-12345']).hide(text);
  expect(hide('{"authorization":"Bearer abc123","x-api-key":"k-12345","x-order":"4711-4711"}')).toBe(
    '{"authorization":"[secret]","x-api-key":"[secret]","x-order":"4711-4711"}',
  );
  expect(credentialsIn(`Basic ${Buffer.from('me:pass:word').toString('base64')}`)).toContain('pass:word');
});

it('a line of the log stays JSON', () => {
  const secrets = knowing(SECRET, '/services/T0/B0/xyz');
  const line = JSON.stringify({ msg: `a \\${SECRET}\\`, path: 'x\\/services\\/T0\\/B0\\/xyz"' });
  expect(JSON.parse(secrets.hide(line))).toEqual({ msg: expect.stringContaining('${TOKEN}') as string, path: 'x${TOKEN}"' });
});

it('60 secrets are looked for in an answer within a moment', () => {
  const secrets = knowing(...Array.from({ length: 60 }, (_, i) => `secret-${i}-${'abcdefghij'.repeat(4)}`));
  const text = 'the quick brown fox jumps over the lazy dog; '.repeat(23);
  secrets.hide(text);
  const began = performance.now();
  for (let i = 0; i < 20; i++) secrets.hide(text);
  expect((performance.now() - began) / 20).toBeLessThan(200);
});
