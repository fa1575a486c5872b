import type { BodyTemplate, CacheActionDefinition, CacheValue, PublishActionDefinition, PublishTarget } from '../../event/definitions';
import { compileBody, compileTemplate, literalsOf } from '../../matching/template/template';
import type { Path } from '../file-problems';
import type { CacheShape, PublishShape } from '../schema/actions';
import { durationOf } from '../units';
import { checkBody, type ActionPlace, type LinkContext } from './context';

const DEFAULT_TIMEOUT = { publish: '5s', cache: '10s' } as const;

/** @param what that needs it */
function checkRedis({ problems, settings }: LinkContext, what: string, path: Path): void {
  if (settings.redisUrl === null) problems.add([...path, 'type'], `${what} needs a server: set REDIS_URL, or redis_url under settings:`);
}

export function linkPublish(shape: PublishShape, { name, path }: ActionPlace, context: LinkContext): PublishActionDefinition {
  const body = (shape.body ?? null) as BodyTemplate | null;
  if (body !== null) checkBody(context.problems, body, () => compileBody(body, false), [...path, 'body']);
  const timeout = durationOf(shape.timeout ?? DEFAULT_TIMEOUT.publish);
  return { type: 'publish', name, to: linkTarget(shape, path, context), body, timeout };
}

function linkTarget({ subject, stream, headers, max_length }: PublishShape, path: Path, context: LinkContext): PublishTarget {
  const { problems } = context;
  if ((subject === undefined) === (stream === undefined))
    problems.add(path, 'give subject (NATS JetStream) or stream (Redis), one of them');
  if (subject === undefined) {
    if (stream !== undefined) checkRedis(context, 'a Redis stream', path);
    if (headers !== undefined) problems.add([...path, 'headers'], 'an entry of a Redis stream has no headers');
    problems.template([...path, 'stream'], () => compileTemplate(stream ?? '', 'text'));
    return { broker: 'redis', stream: stream ?? '', maxLength: max_length ?? null };
  }
  if (context.settings.natsUrl === null)
    problems.add([...path, 'type'], 'publish needs a server: set NATS_URL, or nats_url under settings:');
  if (max_length !== undefined) problems.add([...path, 'max_length'], 'how much is kept is decided by the stream of NATS');
  problems.template([...path, 'subject'], () => compileTemplate(subject, 'subject'));
  problems.check([...path, 'subject'], subjectProblem(subject));
  checkHeaders(headers ?? {}, [...path, 'headers'], context);
  return { broker: 'nats', subject, headers: headers ?? {} };
}

/** Checks what stands outside the tags; values are encoded. */
function subjectProblem(subject: string): string | null {
  const literal = literalsOf(subject, 'x');
  if (/[\s*>]/.test(literal)) return 'a subject to publish to holds no blank, * or >';
  if (/^\$/.test(literal)) return 'subjects that begin with $ belong to the server';
  return literal.split('.').includes('') ? 'a subject has no empty part between its dots' : null;
}

function checkHeaders(headers: Readonly<Record<string, string>>, path: Path, { problems, endpoints }: LinkContext): void {
  endpoints.headers(headers, path);
  for (const name of Object.keys(headers))
    if (/^nats-/i.test(name)) problems.add([...path, name], 'headers that begin with Nats- are set by the service itself');
}

export function linkCache(shape: CacheShape, { name, path }: ActionPlace, context: LinkContext): CacheActionDefinition {
  const { problems } = context;
  checkRedis(context, 'cache', path);
  const keys = [shape.delete ?? []].flat();
  const patterns = [shape.delete_matching ?? []].flat();
  const set = shape.set === undefined ? null : linkValue(shape.set, [...path, 'set'], context);
  if (keys.length + patterns.length === 0 && set === null) problems.add(path, 'give delete, delete_matching or set');
  const at = (key: 'delete' | 'delete_matching', i: number): Path => (Array.isArray(shape[key]) ? [...path, key, i] : [...path, key]);
  keys.forEach((key, i) => problems.template(at('delete', i), () => compileTemplate(key, 'text')));
  patterns.forEach((pattern, i) => {
    problems.template(at('delete_matching', i), () => compileTemplate(pattern, 'pattern'));
    if (/^[*?]+$/.test(pattern))
      problems.add(at('delete_matching', i), 'it would remove every key of the server; give a pattern with a prefix');
  });
  return { type: 'cache', name, keys, patterns, set, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT.cache) };
}

function linkValue({ key, ttl, ...shape }: NonNullable<CacheShape['set']>, path: Path, { problems }: LinkContext): CacheValue {
  problems.template([...path, 'key'], () => compileTemplate(key, 'text'));
  const value = shape.value as BodyTemplate;
  checkBody(problems, value, () => compileBody(value, false), [...path, 'value']);
  return { key, value, ttl: ttl === undefined ? null : durationOf(ttl) };
}
