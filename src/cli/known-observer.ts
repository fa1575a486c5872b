import { didYouMean } from '../config/problems';
import { OperatorError } from '../event/errors';
import { configurationOf, type GlobalOptions } from './command';
import { onServices } from './modules';

interface ObserverFlags extends GlobalOptions {
  readonly observer?: string;
}

const ANYTHING = { action: null, entityType: null, entityKey: null, error: null, endpoint: null, after: null, before: null };

/**
 * For when nothing matches: whether there could be anything.
 *
 * @throws OperatorError when there is no such observer, neither in the observers file nor in the queue
 */
export async function refuseUnknownObserver(flags: ObserverFlags): Promise<void> {
  const { observer } = flags;
  if (observer === undefined) return;
  const loaded = await configurationOf(flags).catch(() => null);
  if (loaded === null) return;
  const names = loaded.file.definition.observers.map(({ name }) => name);
  if (names.includes(observer) || (await wasSeen(flags, observer))) return;
  throw new OperatorError(
    `there is no observer "${observer}"${didYouMean(observer, names)}`,
    'Observers: fraiseql-observers observers list',
  );
}

async function wasSeen(flags: ObserverFlags, observer: string): Promise<boolean> {
  const { RedriveModule } = await import('../redrive/redrive.module');
  const { DeadLetters } = await import('../redrive/dead-letters.service');
  const range = { limit: 1, offset: 0 };
  const alone = { ...ANYTHING, observer };
  return onServices(flags, [RedriveModule], async (get) => {
    const states = await Promise.all((['open', 'discarded'] as const).map((state) => get(DeadLetters).list(alone, range, state)));
    return states.some(({ total }) => total > 0);
  });
}
