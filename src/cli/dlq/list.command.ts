import { Option, SubCommand } from 'nest-commander';
import { refuseUnknownNames } from '../known-names';
import { onServices } from '../modules';
import { BREAK, colors, print, printJson } from '../output';
import { FilteredCommand, filterOf, type FilterFlags } from './filter-options';
import { printItems } from './item';

const DEFAULT_LIMIT = 50;

interface ListFlags extends FilterFlags {
  readonly discarded?: boolean;
}

@SubCommand({ name: 'list', description: 'what could not be delivered, newest first' })
export class DlqListCommand extends FilteredCommand {
  protected readonly examples = [
    ['the newest', 'dlq list'],
    ['what timed out within two hours', 'dlq list --error timeout --after 2h'],
    ['as JSON, a hundred', 'dlq list --limit 100 --format json'],
    ['what people have given up', 'dlq list --discarded'],
  ] as const;

  @Option({ flags: '--discarded', description: 'what was discarded, or skipped in its lane, instead: dlq restore brings it back' })
  parseDiscarded(): boolean {
    return true;
  }

  async run(_args: string[], flags: ListFlags): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const filter = filterOf(flags);
    const { limit = DEFAULT_LIMIT, offset = 0, discarded = false } = flags;
    const state = discarded ? 'discarded' : 'open';
    const { items, total } = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).list(filter, { limit, offset }, state));
    if (total === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson(items);
    if (total === 0) return print(emptyText(discarded, Object.values(filter).some((value) => value !== null))); // prettier-ignore
    printItems(items);
    print(`${BREAK}${shownOf(items.length, total, offset)}`);
    print(
      discarded ? 'Back into the queue: dlq restore ID' : 'In full: dlq show ID   once more: dlq retry ID   many: dlq retry-all --dry-run',
    );
  }
}

function emptyText(discarded: boolean, filtered: boolean): string {
  if (filtered) return `nothing ${discarded ? 'that was discarded' : 'in the dead letter queue'} matches`;
  return discarded ? 'nothing was discarded' : colors.green('the dead letter queue is empty');
}

/** `50 of 3,500, newest first; the next ones: --offset 50`. */
export function shownOf(shown: number, total: number, offset: number, order = 'newest first'): string {
  const number = new Intl.NumberFormat('en');
  const next = offset + shown;
  const more = next < total ? `; the next ones: --offset ${next}` : '';
  return `${number.format(shown)} of ${number.format(total)}, ${order}${more}`;
}
