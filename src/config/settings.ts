import { advertiseUrl, apiRate, apiTokens, apiTokensFile } from './settings/api';
import {
  databaseUrl,
  elasticsearchApiKey,
  elasticsearchCaFile,
  elasticsearchUrl,
  fcmCredentials,
  fcmUrl,
  kafkaUrl,
  mailFrom,
  natsUrl,
  rabbitmqUrl,
  searchIndex,
  smsFrom,
  smsUrl,
  smtpUrl,
  vapidPrivateKey,
  vapidSubject,
} from './settings/connections';
import {
  otelResourceAttributes,
  otelSdkDisabled,
  otelServiceName,
  otelTracesExporter,
  otelTracesSampler,
  otelTracesSamplerArg,
  otlpEndpoint,
  otlpHeaders,
  otlpProtocol,
  otlpTracesEndpoint,
  otlpTracesHeaders,
  otlpTracesProtocol,
} from './settings/telemetry';
import { cacheDriver, dedupDriver, redisCaFile, redisPrefix, redisSentinelPassword, redisTimeout, redisUrl } from './settings/redis';
import { retention } from './settings/retention';
import { duration, flag, oneOf, size, text, whole, type Setting } from './settings/kinds';

const modules: Setting<readonly string[] | null> = {
  variable: 'OBSERVERS_MODULES',
  description: 'JavaScript files, with commas between, whose Nest modules hold actions of your own (type: custom)',
  default: null,
  parse: (value) => {
    const files = value.split(',').map((file) => file.trim());
    return files.some((file) => file === '' || /^\w+:\/\//.test(file))
      ? { expected: 'paths of JavaScript files, with commas between' }
      : { value: files };
  },
  show: (value) => (value ?? []).join(', '),
};

/** The one table of settings: parsing, defaults, `.env.example`, `config list` and the schema of `settings:` come from it. */
export const SETTINGS = {
  databaseUrl,
  redisUrl,
  redisSentinelPassword,
  redisCaFile,
  redisPrefix,
  redisTimeout,
  natsUrl,
  kafkaUrl,
  rabbitmqUrl,
  smtpUrl,
  mailFrom,
  smsUrl,
  smsFrom,
  fcmCredentials,
  fcmUrl,
  vapidPrivateKey,
  vapidSubject,
  elasticsearchUrl,
  elasticsearchApiKey,
  elasticsearchCaFile,
  modules,
  dataDir: text('OBSERVERS_DATA_DIR', './.observers', 'folder of the embedded PostgreSQL'),
  host: text('OBSERVERS_HOST', '127.0.0.1', 'address on which the API and the probes are served'),
  port: whole('OBSERVERS_PORT', 8700, 0, 65_535, 'port of the API and the probes; 0 takes any free one'),
  apiTokens,
  apiTokensFile,
  apiRate,
  advertiseUrl,
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
  fairness: oneOf(
    'OBSERVERS_FAIRNESS',
    'tenants',
    ['tenants', 'none'],
    'who is next at an endpoint that is busy: tenants and observers in turn, or whoever came first',
  ),
  maxEventSize: size('OBSERVERS_MAX_EVENT_SIZE', '16MiB', 'bytes of row JSON above which a change is quarantined instead of delivered'),
  maxHops: whole(
    'OBSERVERS_MAX_HOPS',
    8,
    1,
    100,
    'deliveries that may lead to one another: a change with more of them behind it is delivered to nobody',
  ),
  dedupDriver,
  cacheDriver,
  searchDriver: oneOf(
    'OBSERVERS_SEARCH_DRIVER',
    'postgres',
    ['postgres', 'elasticsearch'],
    'what search looks in: the stored changes, or an index at ELASTICSEARCH_URL that the leader keeps',
  ),
  searchIndex,
  searchInterval: duration('OBSERVERS_SEARCH_INTERVAL', '1s', ['10ms', '1h'], 'how often the leader tells the search index what is new'),
  searchRetention: duration(
    'OBSERVERS_SEARCH_RETENTION',
    '90d',
    ['1d', '3650d'],
    'how long the search index keeps a change; PostgreSQL keeps it for OBSERVERS_RETENTION',
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
  ...retention,
  auditInterval: duration(
    'OBSERVERS_AUDIT_INTERVAL',
    '15s',
    ['0ms', '1d'],
    'how often the leader accounts for what the stream has passed; 0ms: never, and nobody knows by itself whether something is missing',
  ),
  shutdownTimeout: duration('OBSERVERS_SHUTDOWN_TIMEOUT', '10s', ['0ms', '1h'], 'how long a stop waits for deliveries under way'),
  watch: flag('OBSERVERS_WATCH', false, 'reload the observers file when it changes; without it at SIGHUP and POST /reload'),
  logLevel: oneOf('OBSERVERS_LOG_LEVEL', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'what is logged'),
  logFormat: oneOf('OBSERVERS_LOG_FORMAT', 'auto', ['auto', 'json', 'pretty'], 'auto: pretty on a terminal, JSON lines otherwise'),
  otlpEndpoint,
  otlpTracesEndpoint,
  otlpHeaders,
  otlpTracesHeaders,
  otlpProtocol,
  otlpTracesProtocol,
  otelServiceName,
  otelResourceAttributes,
  otelTracesSampler,
  otelTracesSamplerArg,
  otelTracesExporter,
  otelSdkDisabled,
} as const satisfies Record<string, Setting<unknown>>;

type Table = typeof SETTINGS;
export type SettingName = keyof Table;
export type Settings = { readonly [K in SettingName]: Table[K] extends Setting<infer T> ? T : never };

/** Read besides the table: where the file is decides what else is read. */
export const CONFIG_VARIABLE = 'OBSERVERS_CONFIG';
export const DEFAULT_CONFIG_FILE = 'observers.yaml';

/** The key under `settings:` in the file: `OBSERVERS_MAX_IN_FLIGHT` is `max_in_flight`. */
export function fileKey(variable: string): string {
  return variable.replace(/^OBSERVERS_/, '').toLowerCase();
}
