import { isThisMachine } from '../hosts';
import { KAFKA_EXPECTED, kafkaAddress } from '../kafka-address';
import { RABBIT_EXPECTED, rabbitServers } from '../rabbit-address';
import { decoded } from '../url-parts';
import { asIs, withoutPasswords, type Setting } from './kinds';

// Servers that the service works with, and who it is for them. `parse` repeats nothing of the value, which holds passwords.

export const databaseUrl: Setting<string | null> = {
  variable: 'DATABASE_URL',
  secret: true,
  description: 'PostgreSQL (14 or later) to work on; without it an embedded one runs in the data folder, for trying out',
  default: null,
  parse: (value) =>
    /^postgres(ql)?:\/\//.test(value) && URL.canParse(value) ? { value } : { expected: 'postgres://user:password@host:port/database' },
  show: (value) => (value === null ? '' : withoutPasswords(value)),
};

export const natsUrl: Setting<string | null> = {
  variable: 'NATS_URL',
  secret: true,
  description: 'servers for publish actions, with commas between: nats://user:password@host:4222 (tls:// with TLS), or nats://token@host',
  default: null,
  parse: (value) =>
    value.split(',').every((one) => /^(nats|tls):\/\/[^/]+\/?$/.test(one.trim()) && URL.canParse(one.trim()))
      ? { value }
      : { expected: 'nats://user:password@host:4222 or tls://…, several with commas between' },
  show: (value) =>
    value === null
      ? ''
      : value
          .split(',')
          .map((one) => withoutSecrets(one.trim()))
          .join(','),
};

/** What stands alone before the host is a token. */
function withoutSecrets(server: string): string {
  return server.replace(/\/\/[^@/]*@/, '//***@');
}

export const kafkaUrl: Setting<string | null> = {
  variable: 'KAFKA_URL',
  secret: true,
  description:
    'brokers for publish actions: kafka://user:password@host:9092,host:9092 (kafka+ssl:// with TLS); ?sasl=plain or scram-sha-256, and scram-sha-512 without it',
  default: null,
  parse: (value) => (kafkaAddress(value) === null ? { expected: KAFKA_EXPECTED } : { value }),
  show: (value) => (value === null ? '' : value.replace(/:[^:@/?]*@/, ':***@')),
};

export const rabbitmqUrl: Setting<string | null> = {
  variable: 'RABBITMQ_URL',
  secret: true,
  description:
    'servers for publish actions, with commas between, of which any one is used: amqp://user:password@host:5672/vhost (amqps:// with TLS)',
  default: null,
  parse: (value) => (rabbitServers(value) === null ? { expected: RABBIT_EXPECTED } : { value }),
  show: (value) => (value === null ? '' : (rabbitServers(value) ?? []).map(({ href }) => withoutPasswords(href)).join(',')),
};

export const smtpUrl: Setting<string | null> = {
  variable: 'SMTP_URL',
  secret: true,
  description: 'server for email actions: smtp://user:password@host:587 (STARTTLS, which ?tls=none switches off) or smtps://…:465',
  default: null,
  parse: (value) =>
    /^smtps?:\/\//.test(value) && URL.canParse(value) && mailTlsOf(value) !== null
      ? { value }
      : { expected: 'smtp://user:password@host:587 or smtps://…; of the ways to do without TLS only ?tls=none, with smtp://' },
  show: (value) => (value === null ? '' : withoutPasswords(value)),
};

/** How mail goes to a server: TLS from the first byte, after STARTTLS and not without it, where it is offered, or in clear. */
export type MailTls = 'implicit' | 'required' | 'offered' | 'none';

/** What the client's own words for it would undo. */
const UNDOING = ['ignoreTLS', 'requireTLS', 'opportunisticTLS', 'secure'];

/** @returns null where the URL contradicts itself, or says it in words that are not ours */
export function mailTlsOf(url: string): MailTls | null {
  const { protocol, hostname, searchParams } = new URL(url);
  const asked = searchParams.getAll('tls');
  if (UNDOING.some((name) => searchParams.has(name)) || asked.some((one) => one !== 'none')) return null;
  if (protocol === 'smtps:') return asked.length > 0 ? null : 'implicit';
  if (asked.length > 0) return 'none';
  // A server on this machine often has no certificate, and nobody stands between.
  return isThisMachine(hostname) ? 'offered' : 'required';
}

export const mailFrom: Setting<string | null> = {
  variable: 'OBSERVERS_MAIL_FROM',
  description: 'sender of email actions that name none: shop@example.com or "The shop <shop@example.com>"',
  default: null,
  parse: (value) => (value.includes('@') ? { value } : { expected: 'an address such as shop@example.com' }),
  show: (value) => value ?? '',
};

export const smsUrl: Setting<string | null> = {
  variable: 'OBSERVERS_SMS_URL',
  secret: true,
  description:
    'provider for sms actions: https://ACCOUNT:TOKEN@api.twilio.com, or with an API key https://KEY:SECRET@api.twilio.com/ACCOUNT',
  default: null,
  parse: (value) => (isProvider(value) ? { value } : { expected: 'https://ACCOUNT:TOKEN@api.twilio.com' }),
  show: (value) => (value === null ? '' : withoutPasswords(value)),
};

function isProvider(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password, pathname, search, hash } = new URL(text);
  return username !== '' && password !== '' && /^\/\w*\/?$/.test(pathname) && search === '' && hash === '';
}

export const fcmCredentials: Setting<string | null> = {
  variable: 'OBSERVERS_FCM_CREDENTIALS',
  description: 'key file (JSON) of the service account for push actions by Firebase Cloud Messaging',
  default: null,
  parse: (value) => (/^\w+:\/\//.test(value) ? { expected: 'the path of a key file' } : { value }),
  show: (value) => value ?? '',
};

export const fcmUrl: Setting<string> = {
  variable: 'OBSERVERS_FCM_URL',
  description: 'Firebase Cloud Messaging',
  default: 'https://fcm.googleapis.com',
  parse: (value) =>
    /^https?:\/\/[^/?#@]+\/?$/.test(value) && URL.canParse(value) ? { value } : { expected: 'a URL such as https://fcm.googleapis.com' },
  show: asIs,
};

export const vapidPrivateKey: Setting<string | null> = {
  variable: 'OBSERVERS_VAPID_PRIVATE_KEY',
  secret: true,
  description: 'private key for push actions to browsers (Web Push), base64url; make one with: npx web-push generate-vapid-keys',
  default: null,
  parse: (value) => (/^[\w-]{43}$/.test(value) ? { value } : { expected: 'a key of 32 bytes in base64url' }),
  show: (value) => (value === null ? '' : '***'),
};

export const vapidSubject: Setting<string | null> = {
  variable: 'OBSERVERS_VAPID_SUBJECT',
  description: 'whom push services may turn to: mailto:push@example.com or a https URL',
  default: null,
  parse: (value) =>
    /^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/.test(value) ? { value } : { expected: 'an address such as mailto:push@example.com' },
  show: (value) => value ?? '',
};

const SMS_SENDER = /^(\+[1-9]\d{6,14}|\d{3,8}|MG[\da-f]{32}|[\da-z ]{1,11})$/i;

export const smsFrom: Setting<string | null> = {
  variable: 'OBSERVERS_SMS_FROM',
  description: 'sender of sms actions that name none: a number such as +15551234567, a name, or a messaging service (MG…)',
  default: null,
  parse: (value) => (SMS_SENDER.test(value) ? { value } : { expected: 'a number such as +15551234567, a name, or MG and 32 digits' }),
  show: (value) => value ?? '',
};

export const elasticsearchUrl: Setting<readonly string[] | null> = {
  variable: 'ELASTICSEARCH_URL',
  secret: true,
  description:
    'server for search actions and the search index: https://user:password@host:9200; several nodes of one cluster are separated by commas',
  default: null,
  parse: (value) => {
    const nodes = value.split(',').map((node) => node.trim());
    const expected = 'https://user:password@host:9200, or several with commas between them and the same user';
    return nodes.every(isNode) && new Set(nodes.map(userOf)).size === 1 ? { value: nodes } : { expected };
  },
  show: (value) => (value === null ? '' : value.map(withoutPasswords).join(',')),
};

function isNode(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { search, hash } = new URL(text);
  return decoded(userOf(text)) !== null && search === '' && hash === '';
}

/** User and password as they are written; `:` when there is none. */
function userOf(node: string): string {
  const { username, password } = new URL(node);
  return `${username}:${password}`;
}

export const elasticsearchApiKey: Setting<string | null> = {
  variable: 'OBSERVERS_ELASTICSEARCH_API_KEY',
  secret: true,
  description: 'API key for ELASTICSEARCH_URL, encoded as Elasticsearch gives it out; instead of user and password in ELASTICSEARCH_URL',
  default: null,
  parse: (value) => (/^[\w+/-]{16,}={0,2}$/.test(value) ? { value } : { expected: 'an API key in base64, the "encoded" one' }),
  show: (value) => (value === null ? '' : '***'),
};

export const elasticsearchCaFile: Setting<string | null> = {
  variable: 'OBSERVERS_ELASTICSEARCH_CA_FILE',
  description: 'certificates (PEM) of the only authorities trusted for ELASTICSEARCH_URL; without it those of this machine are',
  default: null,
  parse: (value) => (/^\w+:\/\//.test(value) ? { expected: 'the path of a file with certificates' } : { value }),
  show: (value) => value ?? '',
};

export const searchIndex: Setting<string> = {
  variable: 'OBSERVERS_SEARCH_INDEX',
  description: 'name that the search index, its template and its alias begin with; one for each database and stream',
  default: 'observers-audit',
  parse: (value) =>
    /^[a-z0-9][a-z0-9_-]{0,99}$/.test(value)
      ? { value }
      : { expected: 'small letters, digits, - and _, at most 100, such as observers-audit' },
  show: asIs,
};
