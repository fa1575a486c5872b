import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { apiOf, type Api, type ApiAnswer } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { run } from '../support/program';
import { startReceiver, type Receiver } from '../support/receiver';
import { deadLetters } from '../support/redrive';
import { anything, valid, type Known, type Schema } from '../support/schema-arbitrary';
import { startTestService } from '../support/service';
import { until, untilLeading } from '../support/until';
import type { Service } from '../../src/lifecycle/start-service';

const ROOT = join(__dirname, '../..');
const TOKEN = 'CANARY-write-0123456789';

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters: readonly {
    name: string;
    in: 'path' | 'query' | 'header';
    required: boolean;
    description?: string;
    schema: Schema;
  }[];
  readonly requestBody?: { required: boolean; content: Record<string, { schema: Schema }> };
  readonly responses: Record<string, { description: string; content: Record<string, { schema: Schema }> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, Schema> };
}

let database: TestDatabase;
let receiver: Receiver;
let service: Service;
let api: Api;
let document: Document;
let known: Known = {};

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  await database.query('create table public.orders (id int primary key, total int)');
  const file = `
version: 1
capture: [{ table: public.orders, entity: Order }]
observers:
  - { name: all, entity: Order, when: "total > 1 AND (changed('total') OR total < NOW())", actions: [{ type: webhook, endpoint: hook }] }
  - { name: strict, entity: Order, ordering: strict, retry: { max_attempts: 1 }, actions: [{ type: webhook, endpoint: hook }] }
endpoints: { hook: { url: "${receiver.url}/hook", allow_addresses: [loopback], circuit_breaker: { minimum: 5 } } }`;
  service = await startTestService(database.url, {
    file,
    env: { OBSERVERS_API_TOKENS: `write:${TOKEN}`, OBSERVERS_API_RATE: '1000000/s' },
  });
  await untilLeading(service.streams.main);
  await database.query('insert into orders select i, i from generate_series(1, 5) i');
  const letters = await deadLetters(database, 20);
  await database.query(
    "insert into core.tb_entity_change_log (object_type, object_key, modification_type, object_data) values ('Order', '1', 'UPSERT', '{}')",
  );
  const events = await database.query<{ id: string }>('select id::text from core.tb_entity_change_log');
  api = apiOf(service, { authorization: `Bearer ${TOKEN}` });
  await until(async () => (await api('GET /status')).body['quarantined'] === 1);
  const token = async (): Promise<string> => String((await api('POST /dlq/retry-all', { json: { dry_run: true } })).body['token']);
  known = {
    id: [...letters, ...events.map(({ id }) => id), '1', '3'],
    name: ['all', 'strict', 'hook'],
    observers: ['all', 'strict'],
    observer: ['all'],
    actions: ['webhook'],
    action: ['webhook'],
    endpoint: ['hook'],
    entity_type: ['Order'],
    entity: ['Order'],
    key: ['1', '3'],
    entity_key: ['1', '3'],
    error: ['http_status'],
    token: [await token()],
    to: ['now', 'beginning', '1'],
  };
  document = (await api<Document>('GET /docs-json')).body;
});

afterAll(async () => {
  await service.stop();
  await receiver.close();
  await database.drop();
});

const operations = (): { route: string; method: string; path: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, method, path, operation })),
  );

test('the document is a valid OpenAPI document, and each route is in it with all that it takes and gives', async () => {
  expect(document.openapi).toBe('3.1.0');
  await SwaggerParser.validate(structuredClone(document) as never);
  const routes = operations().map(({ route }) => route);
  expect(routes.sort()).toEqual([
    'DELETE /dlq/{id}',
    'GET /audit/unaccounted',
    'GET /audit/verify',
    'GET /checkpoint',
    'GET /circuit-breakers',
    'GET /config/diff',
    'GET /config/preview',
    'GET /config/versions',
    'GET /deliveries',
    'GET /dlq',
    'GET /dlq/stats',
    'GET /dlq/{id}',
    'GET /doctor',
    'GET /events',
    'GET /events/{id}',
    'GET /health/live',
    'GET /health/ready',
    'GET /health/startup',
    'GET /lanes',
    'GET /listeners',
    'GET /metrics',
    'GET /observers',
    'GET /operations',
    'GET /retention',
    'GET /search',
    'GET /status',
    'GET /tail',
    'GET /why',
    'POST /audit/dismiss',
    'POST /cache/invalidate',
    'POST /checkpoint/reset',
    'POST /circuit-breakers/{name}/reset',
    'POST /dlq/cancel',
    'POST /dlq/discard',
    'POST /dlq/restore',
    'POST /dlq/retry-all',
    'POST /dlq/{id}/retry',
    'POST /events/{id}/replay',
    'POST /lanes/dead-letter',
    'POST /lanes/resume',
    'POST /lanes/skip',
    'POST /observers/{name}/pause',
    'POST /observers/{name}/resume',
    'POST /reload',
    'POST /retention/run',
    'POST /test-event',
  ]);
  for (const { route, method, operation } of operations()) {
    const open = /^GET \/(health|metrics)/.test(route);
    expect([route, operation.security]).toEqual([
      route,
      open ? [] : [{ token: [method === 'get' || route === 'POST /test-event' ? 'read' : 'write'] }],
    ]);
    if (!open)
      expect([route, Object.keys(operation.responses)]).toEqual([
        route,
        expect.arrayContaining(['200', '400', '401', '403', '429', '500', '503']),
      ]);
    for (const parameter of operation.parameters)
      expect([route, parameter.name, parameter.description]).toEqual([route, parameter.name, expect.any(String)]);
  }
  expect(new Set(operations().map(({ operation }) => operation.operationId)).size).toBe(operations().length);
});

const CLIENT = `
import createClient from 'openapi-fetch';
import type { paths } from './api';
const api = createClient<paths>({ baseUrl: process.argv[2]!, headers: { authorization: 'Bearer ' + process.env['TOKEN'] } });
async function main(): Promise<void> {
  const { data: status } = await api.GET('/status');
  const { data: page } = await api.GET('/dlq', { params: { query: { limit: 2, observer: 'all', error: 'http_status' } } });
  const first: string | undefined = page?.items[0]?.id;
  const { data: more } = await api.GET('/dlq', { params: { query: { limit: 2, error: 'http_status', cursor: page?.next ?? '' } } });
  const { data: retried } = await api.POST('/dlq/{id}/retry', { params: { path: { id: first ?? '' } }, body: { config_version: 'current', wait: 10 } });
  const { data: event } = await api.GET('/events/{id}', { params: { path: { id: '1' }, query: { current: 'true' } } });
  const { error, response } = await api.GET('/dlq/{id}', { params: { path: { id: '4b7a3c1e-0000-4000-8000-000000000001' } } });
  const { data: deliveries } = await api.GET('/deliveries', { params: { query: { observer: 'all', state: 'dead', limit: 1 } } });
  const { data: tested } = await api.POST('/test-event', { body: { id: '1', with_lookups: false, send: false, observers: ['all'] } });
  const { data: shown } = await api.POST('/dlq/discard', { body: { dry_run: true, observer: 'all' } });
  const { data: audit } = await api.GET('/audit/verify');
  const { data: doctor } = await api.GET('/doctor');
  const verdict: string | undefined = tested?.observers[0]?.verdict;
  const further = { state: deliveries?.items[0]?.state, verdict, token: shown !== undefined && 'token' in shown ? typeof shown.token : null, next: audit?.next, checked: (doctor?.findings.length ?? 0) > 5 };
  const part: string | undefined = event?.observers[0]?.condition?.children[0]?.text;
  console.log(JSON.stringify({ stream: status?.stream, items: page?.items.length, more: more?.items.length, retried, part, problem: error?.type, status: response.status, further }));
}
void main();
`;

test('a client that is generated from the document compiles, and works', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'observers-client-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'api.json'), JSON.stringify(document));
    writeFileSync(join(folder, 'client.ts'), CLIENT);
    const node = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await run(process.execPath, args, { cwd: folder, env: { PATH: process.env['PATH'], TOKEN } });
      expect([code, err, code === 0 ? '' : out]).toEqual([0, expect.anything(), '']);
      return out;
    };
    await node('node_modules/openapi-typescript/bin/cli.js', 'api.json', '-o', 'api.ts');
    await node(
      'node_modules/typescript/bin/tsc',
      '--strict',
      '--skipLibCheck',
      '--target',
      'es2022',
      '--module',
      'commonjs',
      '--moduleResolution',
      'node10',
      '--types',
      'node',
      '--esModuleInterop',
      'client.ts',
    );
    const done = JSON.parse(await node('client.js', `http://${service.address}`)) as object;
    expect(done).toEqual({
      stream: 'main',
      items: 2,
      more: 2,
      retried: expect.objectContaining({ state: 'delivered' }) as object,
      part: 'total > 1',
      problem: 'urn:fraiseql-observers:problem:not-found',
      status: 404,
      further: { state: 'dead', verdict: 'condition not met', token: 'string', next: null, checked: true },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** By route, status and content type: whether an answer is what the document says. */
function checker(): (operation: Operation, answer: ApiAnswer<unknown>) => string | null {
  const ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addSchema({ $id: 'document', components: document.components });
  const compiled = new Map<Schema, ValidateFunction>();
  return ({ responses }, { status, headers, body }) => {
    if (status >= 500) return `${status}`;
    const content = responses[status]?.content;
    if (content === undefined) return `${status} is not in the document`;
    const type = String(headers['content-type']).split(';')[0] ?? '';
    const schema = content[type]?.schema;
    if (schema === undefined) return `${status} as ${type} is not in the document`;
    const refers = schema.$ref === undefined ? schema : { $ref: `document${schema.$ref}` };
    const validate = compiled.get(schema) ?? ajv.compile(refers);
    compiled.set(schema, validate);
    const entries = [...String(body).matchAll(/^data: (\{"kind".*)$/gm)].map(([, data = '']) => JSON.parse(data) as object);
    const fits = type === 'text/event-stream' ? entries.every((entry) => validate(entry)) : validate(body);
    return fits ? null : `${status}: ${ajv.errorsText(validate.errors)}`;
  };
}

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);

test('whatever is sent, valid or not, no answer is a failure of ours, and each is as the document says', async () => {
  const check = checker();
  const seen = new Map<string, Set<number>>();
  for (const { route, method, path, operation } of operations()) {
    if (path.startsWith('/health')) continue;
    const { schemas } = document.components;
    const maybe = (schema: Schema, name = ''): fc.Arbitrary<unknown> =>
      fc.oneof({ weight: 5, arbitrary: valid(schema, schemas, known, name) }, { weight: 1, arbitrary: anything });
    const pathParameters = operation.parameters.filter((one) => one.in === 'path');
    const queryParameters = operation.parameters.filter((one) => one.in === 'query');
    const body = operation.requestBody?.content['application/json']?.schema;
    const request = fc.record({
      // One that is empty, or dots, makes the path another route's.
      path: fc.tuple(
        ...pathParameters.map(({ name, schema }) => maybe(schema, name).filter((value) => !['', '.', '..'].includes(encoded(value)))),
      ),
      query: fc.record(Object.fromEntries(queryParameters.map(({ name, schema }) => [name, maybe(schema, name)])), { requiredKeys: [] }),
      body: body === undefined ? fc.constant(undefined) : fc.oneof(fc.constant(undefined), { weight: 5, arbitrary: maybe(body) }),
    });
    const isProved = (): boolean => [200, 202].some((status) => seen.get(route)?.has(status) === true);
    const property = fc.asyncProperty(request, async (made) => {
      const names = pathParameters.map(({ name }) => name);
      const filled = names.reduce((all, name, i) => all.replace(`{${name}}`, () => encoded(made.path[i])), path);
      const query = Object.entries(made.query)
        .map(([name, value]) => `${name}=${encoded(value)}`)
        .join('&');
      const answer = await api(`${method.toUpperCase()} ${filled}${query === '' ? '' : `?${query}`}`, { json: made.body });
      seen.set(route, (seen.get(route) ?? new Set()).add(answer.status));
      expect(check(operation, answer)).toBeNull();
    });
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
    // It would prove nothing if nothing valid had been among them.
    for (let more = 0; more < 10 && !isProved(); more++) await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
    expect({ route, isProved: isProved() }).toEqual({ route, isProved: true });
  }
}, 300_000);

function encoded(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  // A lone surrogate cannot be sent.
  return encodeURIComponent(text.toWellFormed());
}
