import { Client } from 'pg';
import { isThisMachine } from '../../../src/config/hosts';
import { mailTlsOf, smtpUrl } from '../../../src/config/settings/connections';
import { encryptionFindings } from '../../../src/doctor/encryption';
import { defaultSettings } from '../../support/stream';

test.each([
  ['smtp://mail.example', 'required'],
  ['smtp://u:p@10.0.0.5:25', 'required'],
  ['smtp://localhost.evil.example', 'required'],
  ['smtp://0.0.0.0', 'required'],
  ['smtp://[::2]:25', 'required'],
  ['smtp://localhost:1025', 'offered'],
  ['smtp://127.3.2.1', 'offered'],
  ['smtp://[::1]:25', 'offered'],
  ['smtp://mail.example?tls=none', 'none'],
  ['smtps://mail.example', 'implicit'],
  ['smtp://mail.example?tls.rejectUnauthorized=false', 'required'],
  ['smtps://mail.example?tls=none', null],
  ['smtp://mail.example?tls=maybe', null],
  ['smtp://mail.example?tls=none&tls=x', null],
  ['smtp://mail.example?ignoreTLS=true', null],
  ['smtp://mail.example?requireTLS=false', null],
  ['smtp://mail.example?opportunisticTLS=true', null],
])('%s: TLS is %s', (url, expected) => {
  expect(mailTlsOf(url)).toBe(expected);
  expect('value' in smtpUrl.parse(url)).toBe(expected !== null);
});

test.each([
  ['localhost', true],
  ['db.localhost', true],
  ['127.0.0.1', true],
  ['[::1]', true],
  ['::ffff:127.0.0.1', true],
  ['/var/run/postgresql', true],
  ['10.0.0.1', false],
  ['localhost.example', false],
  ['127.0.0.1.example', false],
])('%s is this machine: %s', (host, expected) => expect(isThisMachine(host)).toBe(expected));

const findings = (settings: Parameters<typeof defaultSettings>[0], host = '127.0.0.1', unverified = false): string[] =>
  encryptionFindings(new Client({ host }), defaultSettings(settings), unverified).map(({ state, message }) => `${state} ${message}`);

test('doctor says of each server how it is reached, and what to do where that is not this machine', () => {
  const away = { smtpUrl: 'smtp://m.example?tls=none', redisUrl: 'redis://r.example', natsUrl: 'nats://n.example, nats://o.example', kafkaUrl: 'kafka://k.example,l.example', rabbitmqUrl: 'amqp://q.example', elasticsearchUrl: ['http://e.example:9200'] };
  expect(findings(away, 'db.example')).toEqual([
    'warning PostgreSQL: passwords and data go to db.example in clear',
    'warning SMTP: passwords and data go to m.example in clear',
    'warning Redis: passwords and data go to r.example in clear',
    'warning NATS: passwords and data go to n.example in clear',
    'warning NATS: passwords and data go to o.example in clear',
    'warning Kafka: passwords and data go to k.example in clear',
    'warning Kafka: passwords and data go to l.example in clear',
    'warning RabbitMQ: passwords and data go to q.example in clear',
    'warning Elasticsearch: passwords and data go to e.example in clear',
  ]);
  const secure = { smtpUrl: 'smtp://m.example', redisUrl: 'rediss://r.example', natsUrl: 'tls://n.example', kafkaUrl: 'kafka+ssl://k.example', rabbitmqUrl: 'amqps://q.example', elasticsearchUrl: ['https://e.example:9200'] };
  expect(findings(secure)).toEqual([
    'ok PostgreSQL: in clear, and does not leave this machine',
    ...['SMTP: encrypted, and the certificate of m', 'Redis: encrypted, and the certificate of r', 'NATS: encrypted, and the certificate of n', 'Kafka: encrypted, and the certificate of k', 'RabbitMQ: encrypted, and the certificate of q', 'Elasticsearch: encrypted, and the certificate of e'].map((text) => `ok ${text}.example is checked`),
  ]);
  expect(findings({ redisUrl: 'rediss://r.example' }, undefined, true)[1]).toMatch(/^warning Redis: encrypted, but anybody on the way/);
  expect(findings({ smtpUrl: 'smtps://m.example?tls.rejectUnauthorized=false' })[1]).toMatch(/^warning SMTP: encrypted, but anybody/);
  expect(findings({ smtpUrl: 'smtp://127.0.0.1' })[1]).toBe('ok SMTP: in clear, and does not leave this machine');
}); // prettier-ignore
