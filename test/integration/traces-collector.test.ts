import { createServer, type Server, type Socket } from 'node:net';
import { collectorOf } from '../../src/config/settings/telemetry';
import { startTracing } from '../../src/tracing/start-tracing';
import { startCollector, type Collector } from '../support/collector';
import { defaultSettings } from '../support/stream';
import { containing } from '../support/texts';
import { until } from '../support/until';
import { PARENT, SAMPLED, TRACE, Traced } from '../support/traced';

const traced = new Traced();
const { given } = traced;

test('JSON is sent where it is asked for, with the headers for the collector and what is said of the service', async () => {
  await traced.start([traced.hook()], {
    otlpProtocol: 'http/json',
    otlpHeaders: { 'x-tenant': 'everybody', authorization: 'Bearer CANARY-collector' },
    otlpTracesHeaders: { 'x-tenant': 'shop' },
    otelServiceName: 'shop-observers',
    otelResourceAttributes: { 'deployment.environment.name': 'staging', 'service.name': 'weaker' },
  });
  await traced.write(1, SAMPLED);
  await given.receiver.waitFor(1);
  await traced.finished(1);
  const [span] = await traced.spansAfterStop();
  expect(span).toMatchObject({
    traceId: TRACE,
    parentSpanId: PARENT,
    kind: 3,
    attributes: { 'observers.attempt': 1, 'observers.outcome': 'succeeded' },
  });
  expect(span!.resource).toMatchObject({ 'service.name': 'shop-observers', 'deployment.environment.name': 'staging' });
  const [{ headers }] = traced.collector.receiver.requests as [(typeof traced.collector.receiver.requests)[0]];
  expect(headers).toMatchObject({ 'x-tenant': 'shop', authorization: 'Bearer CANARY-collector', 'content-type': 'application/json' });
  expect(JSON.stringify(traced.log)).not.toContain('CANARY');
});

describe('with a collector that does not do its work', () => {
  const warnings = (): unknown[] => traced.log.filter(({ level }) => level === 40).map(({ msg }) => msg);
  const SAID = 'the collector does not take traces; deliveries go on, and spans are lost';

  test('refusals are said once, and that it works again too; deliveries go on', async () => {
    let refuses = true;
    traced.collector = await replaced(traced.collector, (_request, response) => void response.writeHead(refuses ? 401 : 200).end());
    await traced.start([traced.hook()]);
    // 512 spans are sent at once, whatever the clock says. Few more: with 1,100 the answer, which this process gives too, took longer than is waited for.
    await given.database.query('insert into orders select i from generate_series(1, 520) i');
    await traced.collector.receiver.waitFor(1);
    await until(() => warnings().length > 0);
    await given.database.query('insert into orders select i from generate_series(1001, 1520) i');
    await given.receiver.waitFor(1_040);
    await traced.collector.receiver.waitFor(2);
    refuses = false;
    await given.database.query('insert into orders select i from generate_series(2001, 3160) i');
    await until(() => traced.log.some(({ msg }) => msg === 'the collector takes traces again'));
    await traced.finished(2_200);
    await traced.stop();
    expect(warnings()).toEqual([SAID]);
    expect(traced.log.find(({ msg }) => msg === SAID)).toMatchObject({
      collector: `127.0.0.1:${traced.collector.receiver.port}`,
      err: containing('401'),
    });
    expect(traced.log.find(({ msg }) => msg === 'the collector takes traces again')!['lost']).toBeGreaterThanOrEqual(512);
  });

  test('one that is not there, or never answers, does not disturb deliveries, and delays a stop by two seconds at most', async () => {
    const sockets = new Set<Socket>();
    const silent = await new Promise<Server>((resolve) => {
      const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume()));
      server.listen(0, '127.0.0.1', () => resolve(server));
    });
    const { port } = silent.address() as { port: number };
    await traced.start([traced.hook()], { otlpEndpoint: `http://127.0.0.1:${port}` });
    await given.database.query('insert into orders select i from generate_series(1, 3000) i');
    await given.receiver.waitFor(3_000);
    await traced.finished(3_000);
    const began = performance.now();
    await traced.stop();
    // The exporter by itself would hold it up for ten.
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(sockets.size).toBeGreaterThan(0);
    // Nothing goes on behind the stop's back: the exporter gives up by itself, or the test's process would not end.
    await until(() => [...sockets].filter(({ closed }) => !closed).length === 0);
    await new Promise((resolve) => silent.close(resolve));
    expect(warnings()).toEqual([SAID]);
  });
});

const replaced = async (old: Collector, answer: Parameters<typeof startCollector>[0]): Promise<Collector> => {
  await old.receiver.close();
  return startCollector(answer);
};

describe('without a collector', () => {
  test('what the application has stored is passed on as it is', async () => {
    await given.start([traced.hook()]);
    await traced.write(1, SAMPLED, 'a=1');
    await traced.write(2, 'nonsense', 'a=1');
    const requests = await given.receiver.waitFor(2);
    const headersOf = (id: number): Readonly<Record<string, string>> =>
      requests.find(({ body }) => body.includes(`"key":"${id}"`))!.headers;
    expect(headersOf(1)).toMatchObject({ traceparent: SAMPLED, tracestate: 'a=1' });
    expect(headersOf(2)).not.toHaveProperty('traceparent');
    expect(headersOf(2)).not.toHaveProperty('tracestate');
  });

  test.each([
    [{}, null],
    [{ otlpEndpoint: 'http://c:4318' }, 'http://c:4318/v1/traces'],
    [{ otlpEndpoint: 'http://c:4318/otlp/' }, 'http://c:4318/otlp/v1/traces'],
    [{ otlpEndpoint: 'http://c:4318', otlpTracesEndpoint: 'http://t/exactly' }, 'http://t/exactly'],
    [{ otlpEndpoint: 'http://c:4318', otelSdkDisabled: true }, null],
    [{ otlpEndpoint: 'http://c:4318', otelTracesExporter: 'none' as const }, null],
  ])('%j sends traces to %s', (changed, url) => {
    expect(collectorOf(defaultSettings(changed))).toBe(url);
  });

  test('gRPC is refused with what to do', () => {
    const settings = defaultSettings({ otlpEndpoint: 'http://c:4317', otlpProtocol: 'grpc' });
    expect(() => startTracing('http://c:4317/v1/traces', settings, traced.logger)).toThrow('traces cannot be sent by gRPC');
  });
});
