import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { startCollector, type Collector } from '../support/collector';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { MAIN } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { programOn, type Program } from '../support/redrive';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

let database: TestDatabase;
let receiver: Receiver;
let collector: Collector;
let program: Program;

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  collector = await startCollector();
  await database.query('create table public.orders (id int primary key)');
  const file = `version: 1
capture: [{ table: public.orders, entity: Order }]
endpoints: { shop: { url: "${receiver.url}/hook", allow_addresses: [loopback] } }
observers: [{ name: told, entity: Order, actions: [{ type: webhook, endpoint: shop }] }]`;
  program = programOn(database, file, { OBSERVERS_PORT: '0', OBSERVERS_LOG_FORMAT: 'json' });
});

afterEach(async () => {
  program.remove();
  await receiver.close();
  await collector.receiver.close();
  await database.drop();
});

const write = (id: number): Promise<unknown> =>
  database.query(`begin; set local observers.traceparent = '00-${TRACE}-${PARENT}-01'; insert into orders values (${id}); commit`);

test('the built program makes traces by its environment alone, and a stop sends those that are left', async () => {
  const service = program.launch(['start', '--apply'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20CANARY-collector',
    OTEL_SERVICE_NAME: 'shop-observers',
  });
  await service.waitFor(/"msg":"leading"/);
  await write(1);
  const [request] = await receiver.waitFor(1);
  await service.waitFor(/"msg":"event"/);
  expect((await service.end('SIGTERM')).code).toBe(0);
  expect(collector.spans).toHaveLength(1);
  const [span] = collector.spans;
  expect(span).toMatchObject({
    traceId: TRACE,
    parentSpanId: PARENT,
    name: 'deliver told/webhook',
    resource: { 'service.name': 'shop-observers' },
  });
  expect(request!.headers['traceparent']).toBe(`00-${TRACE}-${span!.spanId}-01`);
  expect(collector.receiver.requests[0]!.headers['authorization']).toBe('Bearer CANARY-collector');
});

test('a collector that never answers keeps the program from ending for two seconds at most', async () => {
  const silent = await new Promise<Server>((resolve) => {
    const server = createServer((socket) => void socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1', () =>
      resolve(server),
    );
  });
  const { port } = silent.address() as { port: number };
  const service = program.launch(['start', '--apply'], { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  await service.waitFor(/"msg":"leading"/);
  await write(1);
  await service.waitFor(/"msg":"event"/);
  const { code, took } = await service.end('SIGTERM');
  silent.close();
  expect(code).toBe(0);
  // The exporter by itself would hold it up for ten.
  expect(took).toBeLessThan(9_000);
  expect(service.output()).toContain('the collector does not take traces');
});

test('gRPC is refused before anything is delivered, with what to do', async () => {
  const service = program.launch(['start', '--apply'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  });
  expect((await service.ended).code).toBe(2);
  expect(service.output()).toContain('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf');
});

/** The service in a process of its own, which says after a delivery what it has loaded; the bare API is loaded by prom-client. */
const LOADED = `
const [, dist, file] = process.argv;
const { startService } = require(dist + '/lifecycle/start-service');
const { observersSource } = require(dist + '/config/load');
const { NO_CUSTOM_ACTIONS } = require(dist + '/actions/custom/custom-actions');
const from = (name) => require(require.resolve(name, { paths: [dist] }));
void (async () => {
  const source = observersSource({ env: process.env, configFile: file });
  let told;
  const delivered = new Promise((resolve) => (told = resolve));
  const options = { configuration: source.load(), source, custom: NO_CUSTOM_ACTIONS, logger: from('pino')({ level: 'silent' }), applyCapture: true, strict: false };
  const service = await startService({ ...options, subscribers: [{ event: told }], onFatal: console.error });
  const client = new (from('pg').Client)({ connectionString: service.url });
  await client.connect();
  await client.query('insert into orders values (1)');
  await client.end();
  await delivered;
  await service.stop();
  console.log(JSON.stringify(Object.keys(require.cache).filter((name) => /opentelemetry.(?!api.)|src.tracing.(?!tracing.(module.)?js)/.test(name))));
})();
`;

test.each([
  ['without a collector', {}, false],
  ['with a collector and OTEL_SDK_DISABLED', { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector', OTEL_SDK_DISABLED: 'true' }, false],
  ['with a collector', { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, true],
])(
  '%s a service that has delivered: OpenTelemetry is loaded only where it is asked for',
  async (_when, env: Readonly<Record<string, string>>, loaded) => {
    const named = Object.entries(env).map(([name, value]) => [name, value === 'collector' ? collector.receiver.url : value] as const);
    const { code, out, err } = await program.script(LOADED, join(MAIN, '..'), Object.fromEntries(named));
    expect([code, err]).toEqual([0, '']);
    expect(receiver.requests).toHaveLength(1);
    const files = JSON.parse(out) as string[];
    if (!loaded) expect(files).toEqual([]);
    else
      for (const part of ['sdk-trace', 'otlp-exporter-base', 'otel-tracing']) expect(files.some((name) => name.includes(part))).toBe(true);
  },
);
