import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { NO_CUSTOM_ACTIONS } from '../../../src/actions/custom/custom-actions';
import { loadSettings } from '../../../src/config/load';
import { ConfigurationError } from '../../../src/config/problems';
import { SETTINGS, type SettingName } from '../../../src/config/settings';
import type { Setting } from '../../../src/config/settings/kinds';
import { startService } from '../../../src/lifecycle/start-service';
import { createTestDatabase } from '../../support/database';
import { startReceiver } from '../../support/receiver';
import { untilLeading } from '../../support/until';
import { ConfigFile } from './config-file';

const ROOT = join(__dirname, '../../..');
const ALL = Object.entries(SETTINGS) as [SettingName, Setting<unknown>][];
const file = new ConfigFile();
afterAll(() => file.remove());

/** Read before the service is started, or instead: by the start command and where there is no DATABASE_URL. */
const READ_ELSEWHERE: Readonly<Partial<Record<SettingName, string>>> = {
  logLevel: 'src/cli/start.command.ts',
  logFormat: 'src/cli/start.command.ts',
  dataDir: 'src/lifecycle/start-service.ts',
  mailFrom: 'src/config/link/messages.ts',
  smsFrom: 'src/config/link/messages.ts',
  modules: 'src/config/load.ts',
  redisPrefix: 'src/connections/redis/redis-clients.ts',
  redisTimeout: 'src/connections/redis/redis-clients.ts',
  elasticsearchUrl: 'src/config/link/search.ts',
  elasticsearchApiKey: 'src/config/link/search.ts',
  elasticsearchCaFile: 'src/config/link/search.ts',
  searchIndex: 'src/search/feed/index-feed.ts',
  searchInterval: 'src/search/feed/index-feed.ts',
  searchRetention: 'src/search/feed/index-feed.ts',
  smsUrl: 'src/actions/action-types.ts',
  fcmCredentials: 'src/actions/push.action.ts',
  fcmUrl: 'src/actions/push.action.ts',
  vapidPrivateKey: 'src/actions/push.action.ts',
  vapidSubject: 'src/actions/push.action.ts',
};

test('every setting is read by a service that starts, delivers, and stops with a delivery under way', async () => {
  const database = await createTestDatabase();
  const receiver = await startReceiver((_request, response) => void setTimeout(() => response.writeHead(204).end(), 50));
  await database.query('create table public.orders (id int primary key)');
  const configuration = file.load(
    `version: 1
capture: [{ table: public.orders, entity: Order }]
observers: [{ name: all, entity: Order, actions: [{ type: webhook, endpoint: hook }] }]
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }`,
    { DATABASE_URL: database.url, OBSERVERS_PORT: '0', OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/collector` },
  );
  const read = new Set<string>();
  const settings = new Proxy(configuration.settings, {
    get: (target, name) => {
      read.add(String(name));
      return Reflect.get(target, name) as unknown;
    },
  });
  const options = { source: file.source(), logger: pino({ level: 'silent' }), applyCapture: true, strict: false, onFatal: () => undefined };
  const service = await startService({ ...options, custom: NO_CUSTOM_ACTIONS, configuration: { ...configuration, settings } });
  await untilLeading(service.streams.main);
  await database.query('insert into orders values (1)');
  await receiver.waitFor(1);
  await service.stop();
  await receiver.close();
  await database.drop();
  const elsewhere = ALL.filter(([name]) => {
    const source = READ_ELSEWHERE[name];
    return (
      source !== undefined &&
      readFileSync(join(ROOT, source), 'utf8').match(new RegExp(`settings\\.${name}|\\b${name}\\b.*= (this\\.)?settings`)) !== null
    );
  });
  expect(ALL.map(([name]) => name).filter((name) => !read.has(name) && !elsewhere.some(([other]) => other === name))).toEqual([]);
});

test.each(ALL)('%s stands in docs/configuration.md and in .env.example', (_name, { variable }) => {
  expect(readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')).toMatch(new RegExp(`^\\| \`${variable}\``, 'm'));
  expect(readFileSync(join(ROOT, '.env.example'), 'utf8')).toMatch(new RegExp(`^# ${variable}=`, 'm'));
});

/** Settings that take any text; empty is unset. */
const ANY_TEXT: readonly SettingName[] = ['dataDir', 'host', 'stream', 'otelServiceName', 'redisSentinelPassword'];

// Never the value, which may be a secret in the wrong place.
test.each(ALL.filter(([name]) => !ANY_TEXT.includes(name)))(
  'a wrong %s is told with its variable and what is accepted',
  (_name, { variable }) => {
    let message = 'it was accepted';
    try {
      loadSettings({ env: { [variable]: 'tcp://10.0.0.1:CANARY' } });
    } catch (error) {
      ({ message } = error as ConfigurationError);
    }
    expect(message).toMatch(
      new RegExp(
        `environment ${variable}: expected (one of [\\w/]+, |a whole number from \\d|a duration from \\d|a size such as|postgres://|smtp://|redis://|nats://|kafka://|amqp://|paths of JavaScript files|https://user:password|an API key|the path of a file|an address such as|https://ACCOUNT|a number such as|the path of a key file|a URL such as|a key of 32 bytes|read:TOKEN or write:TOKEN|a rate such as|true or false|name=value|a number from 0|up to 100 letters|small letters)`,
      ),
    );
    expect(message).not.toContain('CANARY');
  },
);

test('a search driver without its server is refused, and there is no other in its place', () => {
  const load = (env: Record<string, string>): unknown => file.load('version: 1\nobservers: []\n', env);
  const refused = (env: Record<string, string>, words: string): void =>
    expect(() => load({ OBSERVERS_SEARCH_DRIVER: 'elasticsearch', ...env })).toThrow(words);
  refused({}, 'OBSERVERS_SEARCH_DRIVER: elasticsearch needs a server: set ELASTICSEARCH_URL');
  refused({ ELASTICSEARCH_URL: 'https://es:9200', OBSERVERS_ELASTICSEARCH_CA_FILE: '/nowhere.pem' }, 'OBSERVERS_ELASTICSEARCH_CA_FILE');
  expect(load({ OBSERVERS_SEARCH_DRIVER: 'elasticsearch', ELASTICSEARCH_URL: 'https://es:9200' })).toBeDefined();
});

const TEN_MISTAKES = `version: 2
settings: { port: many }
capture:
  - { table: orders.too.many.dots, entity: Order }
endpoints:
  billing: { url: "ftp://x/", timeout: 10 }
observers:
  - name: a
    entity: Order
    on: [upsert]
    when: "status = "
    retry: { strategy: quadratic, max_attempts: 0 }
    actions: [{ type: webhok }]
  - { name: a, entity: Order, actions: [] }
`;

test('ten mistakes are told at once, each with file, line and column', () => {
  const problems = file.problemsOf(TEN_MISTAKES);
  const places = problems.map(({ line, path }) => `${line} ${path}`);
  for (const expected of [
    '1 version',
    '2 settings.port',
    '4 capture[0].table',
    '6 endpoints.billing.url',
    '6 endpoints.billing.timeout',
    '10 observers[0].on[0]',
    '11 observers[0].when',
    '12 observers[0].retry.strategy',
    '12 observers[0].retry.max_attempts',
    '13 observers[0].actions[0].type',
    '14 observers[1].actions',
  ])
    expect(places).toContain(expected);
  const { message } = new ConfigurationError(problems);
  expect(message.match(/observers\.yaml:\d+:\d+ /g)!.length).toBe(problems.length);
  expect(problems.every(({ line, column }) => line > 0 && column > 0)).toBe(true);
});
