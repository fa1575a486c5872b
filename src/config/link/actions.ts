import type { ActionDefinition, CustomActionDefinition } from '../../event/definitions';
import { compileTemplate } from '../../matching/template/template';
import type { Path } from '../file-problems';
import { didYouMean } from '../problems';
import type { ActionShape, CustomShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';
import { linkPublish } from './brokers';
import { linkCache } from './cache';
import { linkEmail, linkPush, linkSms } from './messages';
import { linkLimits } from './endpoints';
import { linkSearch } from './search';
import { linkSlack, linkWebhook } from './http-actions';

/** Of a custom action, and of a function of the database. */
const DEFAULT_TIMEOUT = '10s';

export function linkAction(shape: ActionShape, observer: string, path: Path, context: LinkContext): ActionDefinition {
  const name = shape.name ?? shape.type;
  const place = { name, fullName: `${observer}/${name}`, path };
  switch (shape.type) {
    case 'webhook':
      return linkWebhook(shape, place, context);
    case 'slack':
      return linkSlack(shape, place, context);
    case 'email':
      return linkEmail(shape, place, context);
    case 'sms':
      return linkSms(shape, place, context);
    case 'push':
      return linkPush(shape, place, context);
    case 'cache':
      return linkCache(shape, place, context);
    case 'publish':
      return linkPublish(shape, place, context);
    case 'custom':
      return linkCustom(shape, place, context);
    case 'database':
      return { type: 'database', name, function: shape.function, timeout: durationOf(shape.timeout ?? DEFAULT_TIMEOUT) };
    case 'search':
      return linkSearch(shape, place, context);
    case 'log': {
      const { message = null, level = 'info' } = shape;
      if (message !== null) context.problems.template([...path, 'message'], () => compileTemplate(message, 'text'));
      return { type: 'log', name, level, message };
    }
  }
}

function linkCustom(shape: CustomShape, { name, fullName, path }: ActionPlace, context: LinkContext): CustomActionDefinition {
  const { problems, custom } = context;
  const { handler, timeout = DEFAULT_TIMEOUT } = shape;
  const options: unknown = shape.with ?? {};
  if (custom.names.length === 0)
    problems.add([...path, 'handler'], 'no module registers custom actions: set OBSERVERS_MODULES, or modules under settings:');
  else if (!custom.names.includes(handler))
    problems.add([...path, 'handler'], `no module registers a custom action "${handler}"${didYouMean(handler, custom.names)}`);
  else for (const problem of custom.problemsOf(handler, options)) problems.add([...path, 'with', ...problem.path], problem.message);
  return { type: 'custom', name, handler, options, endpoint: fullName, limits: linkLimits(shape), timeout: durationOf(timeout) };
}
