import type { TokenUse } from '../../redrive/set-token';
import { OperatorError } from '../../event/errors';
import { onDatabase } from '../modules';
import { counted, print, printJson } from '../output';
import { filterOf, refuseFilters } from './filter-options';
import { printItems } from './item';
import type { SetFlags } from './set-options';

const SAMPLE = 10;

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
export async function dryRun(flags: SetFlags, use: TokenUse, command: string): Promise<void> {
  const { previewSet } = await import('../../redrive/dead-letter-sets.sql');
  const { issueToken } = await import('../../redrive/set-token');
  const range = { limit: flags.limit ?? null, offset: flags.offset ?? 0 };
  const { set, sample, token } = await onDatabase(flags, async (client) => {
    const preview = await previewSet(client, filterOf(flags), range, SAMPLE);
    return { ...preview, token: preview.set.count === 0 ? null : await issueToken(client, use, preview.set) };
  });
  if (flags.format === 'json') return printJson({ count: set.count, sample, token });
  if (token === null) return print('nothing in the dead letter queue matches');
  printItems(sample);
  if (set.count > sample.length) print(`… and ${set.count - sample.length} more`);
  print(`\n${counted(set.count, 'item')}; nothing was changed. To act on exactly these:`);
  print(`fraiseql-observers dlq ${command} --token ${token}`);
}
