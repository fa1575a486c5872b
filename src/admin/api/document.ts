import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { PROBLEMS, type ProblemKind } from '../http/problem';
import { SCHEMAS } from '../schema/registry';
import { PROBLEM } from '../http/problem';
import { named } from '../schema/registry';
import { VERSION } from '../../config/version';
import { OPERATIONS, type Operation } from './operations';

const INDICATOR = z.record(z.string(), z.looseObject({ status: z.enum(['up', 'down']) }));

/** The answer of terminus to a probe. */
export const HEALTH = named(
  'Health',
  z.strictObject({
    status: z.enum(['ok', 'error', 'shutting_down']),
    info: INDICATOR.optional(),
    error: INDICATOR.optional(),
    details: INDICATOR,
  }),
);

type Json = Record<string, unknown>;

/** Routes that are open to all, and answer in their own way. */
const OPEN: Readonly<Record<string, { readonly summary: string; readonly responses: Json }>> = {
  live: { summary: 'The process answers', responses: health() },
  ready: { summary: 'The database answers, it is known who leads, and there is progress', responses: health() },
  startup: { summary: 'The stream is led, or stood by for', responses: health() },
  metrics: {
    summary: 'Metrics for Prometheus',
    responses: { 200: { description: 'the exposition', content: { 'text/plain': { schema: { type: 'string' } } } } },
  },
};

/** Every route may answer with these. */
const ALWAYS: readonly ProblemKind[] = [
  'invalid-request',
  'refused',
  'unauthenticated',
  'forbidden',
  'too-many-requests',
  'internal',
  'unavailable',
];
const WITH_BODY: readonly ProblemKind[] = ['too-large', 'unsupported-media-type'];

/** The OpenAPI document: the routes are those that Nest serves, what they take and give is what they are checked with. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('fraiseql-observers')
    .setDescription('Reliable side effects for PostgreSQL: look at what happens, and repair what did not. Requests that change something need a token with the scope write.') // prettier-ignore
    .setVersion(VERSION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'a token of OBSERVERS_API_TOKENS; without any configured only requests of this machine are answered; they may look without one, and change with the one in the file api-token of the data folder' }, 'token'); // prettier-ignore
  for (const tag of new Set(Object.values(OPERATIONS).map((operation) => operation.tag))) builder.addTag(tag);
  builder.addTag('probes');
  const document = SwaggerModule.createDocument(app, builder.build(), { operationIdFactory: (_controller, method) => method });
  for (const path of Object.values(document.paths)) {
    for (const method of ['get', 'post', 'delete'] as const) {
      const operation = path[method];
      if (operation !== undefined) Object.assign(operation, described(operation.operationId ?? '', method));
    }
  }
  return { ...document, components: { ...document.components, schemas: components() } };
}

function described(name: string, method: string): Json {
  const open = Object.hasOwn(OPEN, name) ? OPEN[name] : undefined;
  if (open !== undefined) return { ...open, tags: ['probes'], parameters: [], security: [] };
  const operation: Operation | undefined = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name as keyof typeof OPERATIONS] : undefined;
  if (operation === undefined) throw new Error(`the route ${name} is not among the operations of the API`);
  const { summary, tag, body, answers, problems, looks = false, streams = false } = operation;
  return {
    summary,
    tags: [tag],
    parameters: [...parametersOf(operation.path, 'path'), ...parametersOf(operation.query, 'query'), ...parametersOf(operation.headers, 'header')],
    ...(body === undefined ? {} : { requestBody: { required: operation.optionalBody !== true, content: { 'application/json': { schema: reference(body) } } } }),
    responses: { ...answersOf(answers, streams ? 'text/event-stream' : 'application/json'), ...problemsOf([...ALWAYS, ...(body === undefined ? [] : WITH_BODY), ...problems]) },
    security: [{ token: [method === 'get' || looks ? 'read' : 'write'] }],
  }; // prettier-ignore
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query' | 'header'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = plain(z.toJSONSchema(schema, { io: 'input' })) as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, { description, ...type }]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: type,
  }));
} // prettier-ignore

function answersOf(answers: Operation['answers'], type: string): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => [
      status,
      { description: SCHEMAS.get(schema)?.description ?? (status === '202' ? 'accepted' : 'the answer'), content: { [type]: { schema: reference(schema) } } },
    ]),
  ); // prettier-ignore
}

/** Several kinds may have one status. */
function problemsOf(kinds: readonly ProblemKind[]): Json {
  const byStatus = new Map<number, string[]>();
  for (const kind of kinds) {
    const [status, title] = PROBLEMS[kind];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${kind}: ${title}`]);
  }
  const content = { 'application/problem+json': { schema: reference(PROBLEM) } };
  return Object.fromEntries([...byStatus].map(([status, titles]) => [status, { description: titles.join('; '), content }]));
}

function health(): Json {
  const content = { 'application/json': { schema: reference(HEALTH) } };
  return { 200: { description: 'yes', content }, 503: { description: 'no', content } };
}

function reference(schema: z.ZodType): Json {
  const id = SCHEMAS.get(schema)?.id;
  if (id === undefined) throw new Error('a schema of the API has no name');
  return { $ref: `#/components/schemas/${id}` };
}

function components(): NonNullable<NonNullable<OpenAPIObject['components']>['schemas']> {
  const { schemas } = z.toJSONSchema(SCHEMAS, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, plain(schema)]));
}

/** Within a document these say nothing, or the wrong thing. */
function plain(schema: object): Json {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !['$schema', '$id', 'id', '~standard'].includes(key)));
}
