import type { BodyTemplate, CacheActionDefinition, CacheValue } from '../../event/definitions';
import { compileBody, compileTemplate } from '../../matching/template/template';
import type { Path } from '../file-problems';
import type { CacheShape } from '../schema/actions';
import { durationOf } from '../units';
import { checkBody, type ActionPlace, type LinkContext } from './context';

const DEFAULT_TIMEOUT = '10s';

export function linkCache(shape: CacheShape, { name, path }: ActionPlace, context: LinkContext): CacheActionDefinition {
  const { problems } = context;
  if (context.settings.redisUrl === null)
    problems.add([...path, 'type'], 'cache needs a server: set REDIS_URL, or redis_url under settings:');
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
  return { type: 'cache', name, keys, patterns, set, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
}

function linkValue({ key, ttl, ...shape }: NonNullable<CacheShape['set']>, path: Path, { problems }: LinkContext): CacheValue {
  problems.template([...path, 'key'], () => compileTemplate(key, 'text'));
  const value = shape.value as BodyTemplate;
  checkBody(problems, value, () => compileBody(value, false), [...path, 'value']);
  return { key, value, ttl: ttl === undefined ? null : durationOf(ttl) };
}
