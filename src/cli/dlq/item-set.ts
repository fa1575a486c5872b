import type { SetUse } from '../../redrive/dead-letter-sets.service';
import { OperatorError } from '../../event/errors';
import { refuseUnknownNames } from '../known-names';
import { onServices } from '../modules';
import { BREAK, colors, counted, print, printJson } from '../output';
import { filterOf, refuseFilters } from './filter-options';
import { printItems } from './item';
import type { SetFlags } from './set-options';

/** As `SET_LIFE_HOURS` has it, which would load too much to be asked here. */
export const SET_LIFE = '24 hours';

/** Either a dry run or a token, never neither. @returns the token, or null for a dry run */
export function tokenOf(flags: SetFlags, command: string): string | null {
  const { token, dryRun = false } = flags;
  if (token !== undefined && dryRun) throw new OperatorError('--dry-run and --token contradict each other', 'Give one of them.');
  if (token !== undefined) refuseFilters(flags);
  if (token === undefined && !dryRun)
    throw new OperatorError('it acts only on a set that was looked at', `First: fraiseql-observers dlq ${command} --dry-run`);
  return token ?? null;
}

/** Changes nothing: prints how many there are, the first of them, and the token that stands for exactly these. */
export async function dryRun(flags: SetFlags, use: SetUse, command: string): Promise<void> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
  const range = { limit: flags.limit ?? null, offset: flags.offset ?? 0 };
  const shown = await onServices(flags, [RedriveModule], (get) => get(DeadLetterSets).preview(use, filterOf(flags), range));
  if (shown.count === 0) await refuseUnknownNames(flags);
  if (flags.format === 'json') return printJson(shown);
  const { count, sample, token, held } = shown;
  if (token === null) return print('nothing in the dead letter queue matches');
  printItems(sample);
  if (count > sample.length) print(`… and ${count - sample.length} more`);
  print(`${BREAK}${counted(count, 'item')}; nothing was changed. To act on exactly these, within ${SET_LIFE}:`);
  print(`fraiseql-observers dlq ${command} --token ${token}`);
  for (const { name, state, count: its } of held)
    print(`${colors.red('but')} the circuit breaker of ${name} is ${state}: ${its} of them would wait for it (breakers list)`);
}
