import type { CustomActionDefinition } from '../../event/definitions';
import { didYouMean } from '../problems';
import type { CustomShape } from '../schema/actions';
import { durationOf } from '../units';
import type { ActionPlace, LinkContext } from './context';
import { linkLimits } from './endpoints';

const DEFAULT_TIMEOUT = '10s';

export function linkCustom(shape: CustomShape, { name, fullName, path }: ActionPlace, context: LinkContext): CustomActionDefinition {
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
