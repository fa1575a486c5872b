import type { ActionDefinition } from '../../event/definitions';
import { compileTemplate } from '../../matching/template/template';
import type { Path } from '../file-problems';
import type { ActionShape } from '../schema/actions';
import { durationOf } from '../units';
import type { LinkContext } from './context';
import { linkCache } from './cache';
import { linkCustom } from './custom';
import { linkEmail } from './email';
import { linkPublish } from './publish';
import { linkPush } from './push';
import { linkSearch } from './search';
import { linkSms } from './sms';
import { linkSlack, linkWebhook } from './http-actions';

const DEFAULT_DATABASE_TIMEOUT = '10s';

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
      return { type: 'database', name, function: shape.function, timeout: durationOf(shape.timeout ?? DEFAULT_DATABASE_TIMEOUT) };
    case 'search':
      return linkSearch(shape, place, context);
    case 'log': {
      const { message = null, level = 'info' } = shape;
      if (message !== null) context.problems.template([...path, 'message'], () => compileTemplate(message, 'text'));
      return { type: 'log', name, level, message };
    }
  }
}
