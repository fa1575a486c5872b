import type { SMTPServerOptions } from 'smtp-server';
import type { EmailActionDefinition } from '../../src/event/definitions';
import { selfSigned } from '../support/certificate';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { SmtpReply, startSmtpServer, type ReceivedMail, type TestSmtpServer } from '../support/smtp-server';
import { endpointOf, observerOf, startStream, type TestStream } from '../support/stream';
import { containing } from '../support/texts';
import { atLeast, eventually, untilRows } from '../support/until';

let database: TestDatabase;
let smtp: TestSmtpServer;
let stream: TestStream | null = null;

beforeEach(async () => {
  database = await createTestDatabase();
  await database.query('create table public.orders (id bigint primary key, name text, email text)');
  await database.capture('public.orders');
});

afterEach(async () => {
  await stream?.stop();
  await smtp.close();
  await database.drop();
  stream = null;
});

const MAIL: EmailActionDefinition = {
  type: 'email',
  name: 'mail',
  from: 'The shop <shop@example.com>',
  to: ['{{ data.email }}'],
  cc: [],
  bcc: [],
  replyTo: null,
  subject: 'Order {{ entity.key }} für {{ name }}',
  text: 'Dear {{ name }}',
  html: '<p>Dear <b>{{ name }}</b></p>',
  timeout: 5_000,
};

async function start(
  mail: Partial<EmailActionDefinition>,
  server: SMTPServerOptions = {},
  url = (port: number) => `smtp://127.0.0.1:${port}`,
): Promise<void> {
  smtp = await startSmtpServer(server);
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [{ ...MAIL, ...mail }] });
  stream = await startStream(database.url, [observer], { settings: { smtpUrl: url(smtp.port) } });
}

const insert = (name: string, email = 'ann@example.org'): Promise<unknown> =>
  database.query('insert into orders values (7, $1, $2)', [name, email]);
/** Its headers, each a line. */
const unfolded = ({ source }: ReceivedMail): string =>
  source
    .split('\r\n\r\n')[0]!
    .replaceAll(/\r\n[ \t]/g, ' ')
    .replaceAll('\r', '');
/** Encoded words (RFC 2047) as text. */
const decoded = (words: string): string =>
  words
    .split(' ')
    .map((word) => {
      const [, kind, text = ''] = /^=\?UTF-8\?([BQ])\?(.*)\?=$/i.exec(word) ?? [];
      if (kind === 'B') return Buffer.from(text, 'base64').toString();
      return decodeURIComponent(text.replaceAll('_', ' ').replaceAll(/=([\dA-F]{2})/g, '%$1'));
    })
    .join('');
const mails = (count: number): Promise<ReceivedMail[]> =>
  eventually(
    () => smtp.mails,
    (all) => all.length >= count,
  );
const dead = (): Promise<{ error: string; message: string; response: string | null }[]> =>
  untilRows<{ error: string; message: string; response: string | null }>(
    database,
    'select error, message, response from observers.dead_letter',
    1,
  );
const tries = async (): Promise<number> => (await database.query('select from observers.attempt')).length;

test('text and HTML arrive, with values escaped for each, and a Message-ID of the delivery', async () => {
  await start({ cc: ['cc@example.org'], bcc: ['bcc@example.org'], replyTo: 'reply@example.com' });
  await insert('<script>alert(1)</script> & "Ann"');
  const [mail] = await mails(1);
  expect(mail).toMatchObject({ from: 'shop@example.com', to: ['ann@example.org', 'cc@example.org', 'bcc@example.org'] });
  // Quoted-printable breaks its lines with =.
  expect(mail!.source.replaceAll('=\r\n', '')).toContain('Dear <b>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Ann&quot;</b>');
  expect(mail!.source).toContain('Dear <script>alert(1)</script> & "Ann"');
  expect(mail!.source).toMatch(/^Message-ID: <[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}@example\.com>\r$/m);
  expect(mail!.source).toMatch(/^Subject: =\?UTF-8\?/m);
  expect(mail!.source).toMatch(/^Reply-To: reply@example\.com\r$/m);
  expect(mail!.source).not.toMatch(/^Bcc:/m);
  const rows = await untilRows(database, 'select outcome, status from observers.attempt', 1);
  expect(rows).toEqual([{ outcome: 'succeeded', status: 250 }]);
});

test.each([
  ['a second recipient', 'ann@example.org, all@example.org', 'Ann', /^to: a value that stands for an address is not one/],
  ['a group', 'friends: a@example.org, b@example.org;', 'Ann', /^to: a value that stands for an address is not one/],
  ['a header', 'ann@example.org\r\nBcc: all@example.org', 'Ann', /^to: a value that stands for an address is not one/],
  ['no address', '', 'Ann', /^to: a value that stands for an address is empty or missing/],
  ['a header in the subject', 'ann@example.org', 'Ann\r\nBcc: all@example.org', /^the subject holds a line break/],
])('%s from the data is refused before anything is sent', async (_what, email, name, message) => {
  await start({});
  await insert(name, email);
  const [letter] = await dead();
  expect(letter!.error).toBe('template');
  expect(letter!.message).toMatch(message);
  expect(letter!.message).not.toContain('all@example.org');
  expect(smtp.mails).toEqual([]);
});

test('a name that looks like an address is a name: of the recipient, the sender, and whoever is answered', async () => {
  const named = '{{ name }} <{{ email }}>';
  await start({ from: '"{{ name }}" <shop@example.com>', to: [named], replyTo: '{{ name }} <reply@example.com>' });
  await insert('Eve, "E" \\ <evil@e.example>');
  const [mail] = await mails(1);
  expect(mail).toMatchObject({ from: 'shop@example.com', to: ['ann@example.org'] });
  const quoted = '"Eve, \\"E\\" \\\\ <evil@e.example>"';
  expect(unfolded(mail!)).toContain(`From: ${quoted} <shop@example.com>`);
  expect(unfolded(mail!)).toContain(`\nTo: ${quoted} <ann@example.org>`);
  expect(unfolded(mail!)).toContain(`\nReply-To: ${quoted} <reply@example.com>`);
  expect(mail!.source).toMatch(/^Message-ID: <[\da-f-]{36}@example\.com>\r$/m);
});

test.each(['=?utf-8?q?Paid=21?=', 'a =?utf-8?B?8J+Yig==?= and =?', '=?utf-8?q?', `${'=?x'.repeat(60)} €`])(
  'a subject that looks like an encoded word arrives as it is: %s',
  async (name) => {
    await start({ subject: '{{ name }}' });
    await insert(name);
    const [mail] = await mails(1);
    const [, subject = ''] = /^Subject: (.*)$/m.exec(unfolded(mail!)) ?? [];
    expect(decoded(subject)).toBe(name);
  },
);

test('names and addresses of any script arrive, and a list comes out of a loop', async () => {
  const loop = "{% assign all = email | split: '|' %}{% for one in all %}{{ name }} <{{ one }}>, {% endfor %}";
  await start({ to: [loop], cc: ['{% if cc %}{{ cc }}{% endif %}'] });
  await insert('Jürgen "J." 李, Ökonom', 'jürgen@bücher.example|ann@bücher.example');
  const [mail] = await mails(1);
  // The test server reads xn--bcher-kva for us.
  expect(mail!.to).toEqual(['jürgen@bücher.example', 'ann@bücher.example']);
  const [, encoded = ''] = /^To: (.*?) <jürgen@bücher\.example>, \S+.* <ann@xn--bcher-kva\.example>$/m.exec(unfolded(mail!)) ?? [];
  expect(decoded(encoded)).toBe('Jürgen "J." 李, Ökonom');
  expect(unfolded(mail!)).not.toMatch(/^Cc:/m);
});

test('whatever the data, nobody gets a mail whom the file does not mean', async () => {
  await start({
    from: '{{ name }} <bounce+{{ email }}@fixed.example>',
    to: ['{{ name }} <{{ email }}@fixed.example>', '"{{ name }}" <shop@fixed.example>'],
    bcc: ['{{ name }} <log@{{ email }}.fixed.example>'],
    subject: '{{ entity.key }}',
    html: null,
  });
  const names = ['Ann', 'evil@e.example', '" <evil@e.example>, "', 'a: evil@e.example;', '>, <evil@e.example', '(<evil@e.example>', "'", '\\', '=?utf-8?q?x?=', 'é\t', 'x\u2028y', 'x\r\ny'];
  const parts = ['ann', 'evil@e.example>, <x', 'x%e.example', 'e.example!x', '"evil@e.example"', 'é', 'ann\n', '', '.', 'a..b', 'e.example#', '[10.0.0.1]'];
  const rows = names.flatMap((name) => parts.map((part) => [name, part] as const));
  await database.query(
    'insert into orders select row_number() over (), n, p from unnest($1::text[], $2::text[]) as given(n, p)',
    [rows.map(([name]) => name), rows.map(([, part]) => part)],
  );
  await untilRows(database, "select from observers.attempt where outcome in ('succeeded', 'dead')", rows.length);
  const found = await database.query<{ outcome: string; error: string | null; count: number }>('select outcome, error, count(*)::int from observers.attempt group by 1, 2 order by 1');
  expect(found).toEqual([{ outcome: 'dead', error: 'template', count: 0 }, { outcome: 'succeeded', error: null, count: smtp.mails.length }].map((row) => ({ ...row, count: expect.any(Number) as number })));
  expect(smtp.mails.length).toBeGreaterThan(5);
  for (const { from, to } of smtp.mails) for (const address of [from, ...to]) expect(address).toMatch(/^[^@<>,]+@([\p{L}\d-]+\.)*fixed\.example$/u);
  for (const { to } of smtp.mails) expect(to).toHaveLength(3);
}); // prettier-ignore

test('a 4xx is tried again, with the same Message-ID', async () => {
  let refused = 0;
  await start(
    {},
    { onRcptTo: (_address, _session, callback) => (refused++ < 2 ? callback(new SmtpReply(451, 'greylisted, come back')) : callback()) },
  );
  await insert('Ann');
  await mails(1);
  await eventually(tries, (count) => count === 3);
  const rows = await database.query("select error, status from observers.attempt where outcome = 'retry'");
  expect(rows).toEqual([
    { error: 'smtp_temporary', status: 451 },
    { error: 'smtp_temporary', status: 451 },
  ]);
});

test('a 5xx is dead at once, with what the server said', async () => {
  await start({}, { onRcptTo: (_address, _session, callback) => callback(new SmtpReply(550, 'no such mailbox')) });
  await insert('Ann');
  const [letter] = await dead();
  expect(letter).toMatchObject({ error: 'smtp_rejected', response: containing('no such mailbox') });
  expect(await tries()).toBe(1);
});

test('a recipient that is refused beside one that is not is named, and nobody gets the mail twice', async () => {
  const onRcptTo: SMTPServerOptions['onRcptTo'] = ({ address }, _session, callback) =>
    address.startsWith('bad') ? callback(new SmtpReply(550, 'no such mailbox')) : callback();
  await start({ to: ['ann@example.org', 'bad@example.org'] }, { onRcptTo });
  await insert('Ann');
  const [letter] = await dead();
  expect(letter!.message).toContain('the mail was sent, but the SMTP server refused bad@example.org (550)');
  expect(smtp.mails).toHaveLength(1);
});

test('one that is deferred is told apart from one that is refused, and is not said to have the mail', async () => {
  const onRcptTo: SMTPServerOptions['onRcptTo'] = ({ address }, _session, callback) => {
    if (address.startsWith('bad')) return callback(new SmtpReply(550, 'no such mailbox'));
    return address.startsWith('full') ? callback(new SmtpReply(451, 'greylisted')) : callback();
  };
  await start({ to: ['ann@example.org', 'bad@example.org', 'full@example.org'] }, { onRcptTo });
  await insert('Ann');
  const [letter] = await dead();
  expect(letter).toMatchObject({ error: 'smtp_rejected' });
  expect(letter!.message).toContain(
    'the SMTP server refused bad@example.org (550), and the SMTP server deferred full@example.org (451), who did not get it',
  );
  expect(letter!.message).toContain('a further try sends it to all of them again');
  expect(smtp.mails.map(({ to }) => to)).toEqual([['ann@example.org']]);
  expect(await tries()).toBe(1);
});

test('user and password are used, and wrong ones are told without showing them', async () => {
  const onAuth: SMTPServerOptions['onAuth'] = ({ username = '', password }, _session, callback) =>
    password === 'CANARY-right' ? callback(null, { user: username }) : callback(new SmtpReply(535, 'authentication failed'));
  const options: SMTPServerOptions = { authOptional: false, allowInsecureAuth: true, onAuth };
  await start({}, options, (port) => `smtp://shop:CANARY-right@127.0.0.1:${port}`);
  await insert('Ann');
  expect((await mails(1))[0]!.user).toBe('shop');
  await stream?.stop();
  await smtp.close();
  await start({}, options, (port) => `smtp://shop:CANARY-wrong@127.0.0.1:${port}`);
  await database.query("insert into orders values (8, 'Ann', 'ann@example.org')");
  const [letter] = await dead();
  expect(letter).toMatchObject({ error: 'configuration' });
  expect(JSON.stringify(letter)).not.toContain('CANARY');
});

test.each([
  ['STARTTLS', 'smtp', {}],
  ['TLS', 'smtps', { secure: true }],
] as const)('%s is used, and a certificate of nobody known is dead, with what to do', async (_what, scheme, secure) => {
  const server = { ...secure, disabledCommands: [], ...selfSigned({ names: ['IP:127.0.0.1'] }) };
  await start({}, server, (port) => `${scheme}://127.0.0.1:${port}`);
  await insert('Ann');
  const [letter] = await dead();
  expect(letter!.error).toBe('tls');
  await stream?.stop();
  await smtp.close();
  await start({}, server, (port) => `${scheme}://127.0.0.1:${port}?tls.rejectUnauthorized=false`);
  await database.query("insert into orders values (8, 'Ann', 'ann@example.org')");
  expect((await mails(1))[0]!.secure).toBe(true);
});

test('a server elsewhere that offers no STARTTLS is told nothing, unless the URL says so', async () => {
  const users: string[] = [];
  const onAuth: SMTPServerOptions['onAuth'] = ({ username = '' }, _session, callback) => {
    users.push(username);
    callback(null, { user: username });
  };
  const options = { authOptional: false, allowInsecureAuth: true, onAuth };
  // It is this machine, and not one of its own addresses.
  await start({}, options, (port) => `smtp://shop:secret@0.0.0.0:${port}`);
  await insert('Ann');
  const [letter] = await dead();
  expect(letter).toMatchObject({ error: 'tls', message: containing('offers no TLS (STARTTLS)') });
  expect(letter!.message).toContain('?tls=none');
  expect([users, smtp.mails]).toEqual([[], []]);
  await stream?.stop();
  await smtp.close();
  await start({}, options, (port) => `smtp://shop:secret@0.0.0.0:${port}?tls=none`);
  await database.query("insert into orders values (8, 'Ann', 'ann@example.org')");
  expect((await mails(1))[0]).toMatchObject({ user: 'shop', secure: false });
});

test('a server that does not answer is a timeout, and one that is not there a connection: both are tried again', async () => {
  await start({ timeout: 300 }, { onConnect: () => undefined });
  await insert('Ann');
  const rows = await untilRows(database, "select distinct error from observers.attempt where outcome = 'retry'", atLeast(1));
  expect(rows).toEqual([{ error: 'timeout' }]);
  await stream?.stop();
  const { port } = smtp;
  await smtp.close();
  smtp = await startSmtpServer();
  const observer = observerOf('all', endpointOf('http://127.0.0.1:9/unused'), { actions: [MAIL] });
  stream = await startStream(database.url, [observer], { settings: { smtpUrl: `smtp://127.0.0.1:${port}` } });
  await untilRows(database, "select from observers.attempt where error = 'connection'", atLeast(1));
});
