import type { Client } from 'pg';
import type { Asked } from '../../delivery/asked.sql';
import type { DeadLetterSet, SetItem, SetPlace } from '../../delivery/dead-letter-sets.sql';
import type { RedriveAnswer } from '../../delivery/redrive.sql';
import type { TokenUse } from '../../delivery/set-token';
import { OperatorError } from '../../event/errors';
import type { Step } from '../bulk/bulk-run';
import { onDatabase } from '../database';
import { counted, print, printJson } from '../output';
import { filterOf, refuseFilters } from './filter-options';
import { printItems } from './item';
import type { SetFlags } from './set-options';

const SAMPLE = 10;
/** Names of items read at once; they are acted on in smaller parts. */
const PAGE = 1_000;

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
  const { previewSet } = await import('../../delivery/dead-letter-sets.sql');
  const { issueToken } = await import('../../delivery/set-token');
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

export interface SetTotals {
  alreadyUnderWay: number;
  /** Delivered, discarded or tried by somebody else meanwhile. */
  left: number;
}

/** Works a set off, page after page. Items that have left it since the dry run are not touched: they are only counted. */
export class SetWorker {
  readonly totals: SetTotals = { alreadyUnderWay: 0, left: 0 };
  private buffered: SetItem[] = [];
  private behind: SetPlace | null = null;

  constructor(
    private readonly client: Client,
    private readonly set: DeadLetterSet,
    private readonly act: (ids: readonly string[]) => Promise<RedriveAnswer>,
  ) {}

  async step(size: number): Promise<Step | null> {
    if (this.buffered.length === 0) {
      const { readSet } = await import('../../delivery/dead-letter-sets.sql');
      this.buffered = await readSet(this.client, this.set, this.behind, PAGE);
      this.behind = this.buffered.at(-1) ?? this.behind;
    }
    const items = this.buffered.splice(0, size);
    if (items.length === 0) return null;
    const answer = await this.act(items.map(({ id }) => id));
    this.totals.alreadyUnderWay += answer.alreadyUnderWay.length;
    this.totals.left += answer.left.length + answer.unknown.length;
    const queued = new Set(answer.queued);
    const asked: Asked[] = items.filter(({ id }) => queued.has(id));
    return { asked, passed: items.length };
  }
}
