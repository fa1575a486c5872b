import { Option, SubCommand } from 'nest-commander';
import type { GroupColumn } from '../../redrive/dead-letters.service';
import { refuseUnknownNames } from '../known-names';
import { onServices } from '../modules';
import { BREAK, colors, print, printJson, printTable } from '../output';
import { OperatorError } from '../../event/errors';
import { FilteredCommand, filterOf, type FilterFlags } from './filter-options';
import { shortTime } from './item';

interface StatsFlags extends FilterFlags {
  readonly byObserver?: boolean;
  readonly byError?: boolean;
}

@SubCommand({ name: 'stats', description: 'how many there are, by observer and by kind of error, and how old they are' })
export class DlqStatsCommand extends FilteredCommand {
  protected readonly examples = [
    ['by observer and error', 'dlq stats'],
    ['by error, of the last day', 'dlq stats --by-error --after 24h'],
  ] as const;

  @Option({ flags: '--by-observer', description: 'a line for each observer' })
  parseByObserver(): boolean {
    return true;
  }

  @Option({ flags: '--by-error', description: 'a line for each kind of error' })
  parseByError(): boolean {
    return true;
  }

  async run(_args: string[], flags: StatsFlags): Promise<void> {
    if (flags.limit !== undefined || flags.offset !== undefined)
      throw new OperatorError('stats counts all that match', 'Leave --limit and --offset out.');
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const filter = filterOf(flags);
    const asked = (['observer', 'error'] as const).filter((name) => (name === 'observer' ? flags.byObserver : flags.byError));
    // With neither flag by both.
    const columns: readonly GroupColumn[] = asked.length > 0 ? asked : ['observer', 'error'];
    const counted = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).count(filter, columns));
    if (counted.count === 0) await refuseUnknownNames(flags);
    if (flags.format === 'json') return printJson(counted);
    const { count, groups } = counted;
    if (count === 0) return print('nothing in the dead letter queue matches');
    printTable(
      [...columns, 'count', 'oldest', 'newest'],
      groups.map((group) => [
        ...columns.map((name) => group[name] ?? 'quarantine'),
        group.count, shortTime(group.oldest), shortTime(group.newest),
      ]), // prettier-ignore
    );
    print(`${BREAK}${colors.bold(String(count))} in all`);
  }
}
