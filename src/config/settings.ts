import { didYouMean, type Problem } from './problems';
import { formatDuration, parseDuration, parseSize } from './units';

/** Where a value comes from; the stronger first. */
export type Origin = 'flag' | 'environment' | 'file' | 'default';

export interface Setting<T> {
  readonly variable: string;
  /** One sentence, for `.env.example` and `config list`. */
  readonly description: string;
  /** As it is written. */
  readonly default: string | null;
  /** @returns the value, or what was expected */
  readonly parse: (text: string) => { readonly value: T } | { readonly expected: string };
  /** What may be shown of it. */
  show(value: T): string;
}

const asIs = (value: unknown): string => String(value);

function text(variable: string, fallback: string, description: string): Setting<string> {
  return { variable, description, default: fallback, parse: (value) => (value === '' ? { expected: 'a text' } : { value }), show: asIs };
}

function whole(variable: string, fallback: number, least: number, most: number, description: string): Setting<number> {
  const expected = `a whole number from ${least} to ${most}`;
  const parse = (value: string): { value: number } | { expected: string } =>
    /^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most ? { value: Number(value) } : { expected };
  return { variable, description, default: String(fallback), parse, show: asIs };
}

/** The upper bounds are not only sense: a timer of more than 24.8 days runs out at once. */
function duration(variable: string, fallback: string, [least, most]: readonly [string, string], description: string): Setting<number> {
  const parse = (value: string): { value: number } | { expected: string } => {
    const milliseconds = parseDuration(value);
    return milliseconds !== null && milliseconds >= (parseDuration(least) ?? 0) && milliseconds <= (parseDuration(most) ?? 0)
      ? { value: milliseconds }
      : { expected: `a duration from ${least} to ${most}, such as ${fallback}` };
  };
  return { variable, description, default: fallback, parse, show: formatDuration };
}

function oneOf<const T extends string>(variable: string, fallback: T, words: readonly T[], description: string): Setting<T> {
  const parse = (value: string): { value: T } | { expected: string } => {
    const found = words.find((word) => word === value);
    return found === undefined ? { expected: `one of ${words.join(', ')}${didYouMean(value, words)}` } : { value: found };
  };
  return { variable, description, default: fallback, parse, show: asIs };
}

const databaseUrl: Setting<string | null> = {
  variable: 'DATABASE_URL',
  description: 'PostgreSQL (14 or later) to work on; without it an embedded one runs in the data folder, for trying out',
  default: null,
  parse: (value) =>
    /^postgres(ql)?:\/\//.test(value) && URL.canParse(value) ? { value } : { expected: 'postgres://user:password@host:port/database' },
  show: (value) => (value === null ? '' : withoutPasswords(value)),
};

/** By the rules of URLs, not by a pattern: a password may hold `@` and `:`. */
function withoutPasswords(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  for (const name of [...url.searchParams.keys()]) if (/pass/i.test(name)) url.searchParams.set(name, '***');
  return url.href;
}

const smtpUrl: Setting<string | null> = {
  variable: 'SMTP_URL',
  description: 'server for email actions: smtp://user:password@host:587 (STARTTLS where it is offered) or smtps://…:465',
  default: null,
  parse: (value) =>
    /^smtps?:\/\//.test(value) && URL.canParse(value) ? { value } : { expected: 'smtp://user:password@host:587 or smtps://…' },
  show: (value) => (value === null ? '' : withoutPasswords(value)),
};

const mailFrom: Setting<string | null> = {
  variable: 'OBSERVERS_MAIL_FROM',
  description: 'sender of email actions that name none: shop@example.com or "The shop <shop@example.com>"',
  default: null,
  parse: (value) => (value.includes('@') ? { value } : { expected: 'an address such as shop@example.com' }),
  show: (value) => value ?? '',
};

const smsUrl: Setting<string | null> = {
  variable: 'OBSERVERS_SMS_URL',
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

const fcmCredentials: Setting<string | null> = {
  variable: 'OBSERVERS_FCM_CREDENTIALS',
  description: 'key file (JSON) of the service account for push actions by Firebase Cloud Messaging',
  default: null,
  parse: (value) => (/^\w+:\/\//.test(value) ? { expected: 'the path of a key file' } : { value }),
  show: (value) => value ?? '',
};

const fcmUrl: Setting<string> = {
  variable: 'OBSERVERS_FCM_URL',
  description: 'Firebase Cloud Messaging',
  default: 'https://fcm.googleapis.com',
  parse: (value) =>
    /^https?:\/\/[^/?#@]+\/?$/.test(value) && URL.canParse(value) ? { value } : { expected: 'a URL such as https://fcm.googleapis.com' },
  show: asIs,
};

const vapidPrivateKey: Setting<string | null> = {
  variable: 'OBSERVERS_VAPID_PRIVATE_KEY',
  description: 'private key for push actions to browsers (Web Push), base64url; make one with: npx web-push generate-vapid-keys',
  default: null,
  parse: (value) => (/^[\w-]{43}$/.test(value) ? { value } : { expected: 'a key of 32 bytes in base64url' }),
  show: (value) => (value === null ? '' : '***'),
};

const vapidSubject: Setting<string | null> = {
  variable: 'OBSERVERS_VAPID_SUBJECT',
  description: 'whom push services may turn to: mailto:push@example.com or a https URL',
  default: null,
  parse: (value) =>
    /^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/.test(value) ? { value } : { expected: 'an address such as mailto:push@example.com' },
  show: (value) => value ?? '',
};

const SMS_SENDER = /^(\+[1-9]\d{6,14}|\d{3,8}|MG[\da-f]{32}|[\da-z ]{1,11})$/i;

const smsFrom: Setting<string | null> = {
  variable: 'OBSERVERS_SMS_FROM',
  description: 'sender of sms actions that name none: a number such as +15551234567, a name, or a messaging service (MG…)',
  default: null,
  parse: (value) => (SMS_SENDER.test(value) ? { value } : { expected: 'a number such as +15551234567, a name, or MG and 32 digits' }),
  show: (value) => value ?? '',
};

const maxEventSize: Setting<number> = {
  variable: 'OBSERVERS_MAX_EVENT_SIZE',
  description: 'bytes of row JSON above which a change is quarantined instead of delivered',
  default: '16MiB',
  parse: (value) => ((parseSize(value) ?? 0) > 0 ? { value: parseSize(value) as number } : { expected: 'a size such as 64KiB or 16MiB' }),
  show: (value) => `${value} B`,
};

/** The one table of settings: parsing, defaults, `.env.example`, `config list` and the schema of `settings:` come from it. */
export const SETTINGS = {
  databaseUrl,
  smtpUrl,
  mailFrom,
  smsUrl,
  smsFrom,
  fcmCredentials,
  fcmUrl,
  vapidPrivateKey,
  vapidSubject,
  dataDir: text('OBSERVERS_DATA_DIR', './.observers', 'folder of the embedded PostgreSQL'),
  host: text('OBSERVERS_HOST', '127.0.0.1', 'address on which the probes are served'),
  port: whole('OBSERVERS_PORT', 8700, 0, 65_535, 'port of the probes; 0 takes any free one'),
  stream: text('OBSERVERS_STREAM', 'main', 'name of the cursor; instances with the same name stand by for each other'),
  databasePool: whole(
    'OBSERVERS_DATABASE_POOL',
    10,
    2,
    1_000,
    'connections for outcomes and claims; reading and LISTEN have one more each',
  ),
  maxInFlight: whole(
    'OBSERVERS_MAX_IN_FLIGHT',
    500,
    1,
    100_000,
    'events read and not finished, at most; also what may be sent again after a crash',
  ),
  inlineBudget: duration(
    'OBSERVERS_INLINE_BUDGET',
    '1s',
    ['10ms', '1h'],
    'how long a delivery may hold the stream before it goes on from PostgreSQL',
  ),
  commitWindow: duration('OBSERVERS_COMMIT_WINDOW', '5ms', ['0ms', '1s'], 'how long outcomes gather before they are committed together'),
  maxEventSize,
  maxHops: whole(
    'OBSERVERS_MAX_HOPS',
    8,
    1,
    100,
    'deliveries that may lead to one another: a change with more of them behind it is delivered to nobody',
  ),
  dedupDriver: oneOf(
    'OBSERVERS_DEDUP_DRIVER',
    'postgres',
    ['postgres', 'memory'],
    'where dedup keys are kept; memory is faster, and forgets them at a restart',
  ),
  wakeup: oneOf(
    'OBSERVERS_WAKEUP',
    'notify',
    ['notify', 'poll'],
    'poll: no NOTIFY is ever sent, for applications that use PREPARE TRANSACTION',
  ),
  pollInterval: duration(
    'OBSERVERS_POLL_INTERVAL',
    '100ms',
    ['5ms', '1m'],
    'how often an idle stream looks by itself, whatever NOTIFY says',
  ),
  leaseTtl: duration('OBSERVERS_LEASE_TTL', '10s', ['1s', '1h'], 'how long a leader that has vanished without a trace is waited for'),
  retention: duration('OBSERVERS_RETENTION', '7d', ['1m', '3650d'], 'how long finished changes and attempts are kept'),
  shutdownTimeout: duration('OBSERVERS_SHUTDOWN_TIMEOUT', '10s', ['0ms', '1h'], 'how long a stop waits for deliveries under way'),
  logLevel: oneOf('OBSERVERS_LOG_LEVEL', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'what is logged'),
  logFormat: oneOf('OBSERVERS_LOG_FORMAT', 'auto', ['auto', 'json', 'pretty'], 'auto: pretty on a terminal, JSON lines otherwise'),
} as const satisfies Record<string, Setting<unknown>>;

type Table = typeof SETTINGS;
export type SettingName = keyof Table;
export type Settings = { readonly [K in SettingName]: Table[K] extends Setting<infer T> ? T : never };
export type Origins = { readonly [K in SettingName]: Origin };

/** Read besides the table: where the file is decides what else is read. */
export const CONFIG_VARIABLE = 'OBSERVERS_CONFIG';
export const DEFAULT_CONFIG_FILE = 'observers.yaml';

/** The key under `settings:` in the file: `OBSERVERS_MAX_IN_FLIGHT` is `max_in_flight`. */
export function fileKey(variable: string): string {
  return variable.replace(/^OBSERVERS_/, '').toLowerCase();
}

export interface SettingsInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By key of the file, with the place for messages. */
  readonly fromFile: ReadonlyMap<string, { readonly value: string; readonly problem: (message: string) => Problem }>;
}

/** environment > file > default. Problems are collected, not thrown. */
export function resolveSettings({ env, fromFile }: SettingsInput): { settings: Settings; origins: Origins; problems: Problem[] } {
  const problems: Problem[] = unknownVariables(env);
  const settings: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, entry] of Object.entries(SETTINGS)) {
    const setting: Setting<unknown> = entry;
    const fromEnvironment = env[setting.variable];
    const inFile = fromFile.get(fileKey(setting.variable));
    const [origin, written] =
      fromEnvironment !== undefined && fromEnvironment !== ''
        ? (['environment', fromEnvironment] as const)
        : inFile !== undefined
          ? (['file', inFile.value] as const)
          : (['default', setting.default] as const);
    origins[name] = origin;
    const parsed = written === null ? { value: null } : setting.parse(written);
    if ('value' in parsed) {
      settings[name] = parsed.value;
      continue;
    }
    const message = `expected ${parsed.expected}`;
    problems.push(
      origin === 'file' && inFile !== undefined
        ? inFile.problem(message)
        : { file: 'environment', line: 0, column: 0, path: setting.variable, message },
    );
  }
  return { settings: settings as Settings, origins: origins as Origins, problems };
}

export function knownVariables(): string[] {
  return [CONFIG_VARIABLE, ...Object.values(SETTINGS).map(({ variable }) => variable)];
}

function unknownVariables(env: SettingsInput['env']): Problem[] {
  const known = knownVariables();
  return Object.keys(env)
    .filter((name) => name.startsWith('OBSERVERS_') && !known.includes(name))
    .map((path) => ({ file: 'environment', line: 0, column: 0, path, message: `there is no such setting${didYouMean(path, known)}` }));
}

/** The text of `.env.example`. */
export function envExample(): string {
  const lines = Object.values(SETTINGS).map(
    ({ variable, description, default: fallback }) => `# ${description}\n# ${variable}=${fallback ?? ''}\n`,
  );
  return `# Every setting, with its default. A flag is stronger than the environment, the environment than the observers file.\n\n# the observers file\n# ${CONFIG_VARIABLE}=${DEFAULT_CONFIG_FILE}\n\n${lines.join('\n')}`;
}
