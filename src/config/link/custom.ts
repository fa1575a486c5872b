import type { CustomActionDefinition } from '../../event/definitions';
import { didYouMean } from '../problems';
import type { CustomShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';
import { linkLimits } from './endpoints';

const DEFAULT_TIMEOUT = '10s';

export function linkCustom(shape: CustomShape, { name, fullName, path }: ActionPlace, context: LinkContext): CustomActionDefinition {
  const { says, custom } = context;
  const { handler, timeout = DEFAULT_TIMEOUT } = shape;
  const options: unknown = shape.with ?? {};
  if (custom.names.length === 0)
    says.complain([...path, 'handler'], 'no module registers custom actions: set OBSERVERS_MODULES, or modules under settings:');
  else if (!custom.names.includes(handler))
    says.complain([...path, 'handler'], `no module registers a custom action "${handler}"${didYouMean(handler, custom.names)}`);
  else for (const problem of custom.problemsOf(handler, options)) says.complain([...path, 'with', ...problem.path], problem.message);
  return { type: 'custom', name, handler, options, endpoint: fullName, limits: linkLimits(shape), timeout: durationOf(timeout) };
}
