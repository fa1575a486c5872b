import { SubCommand } from 'nest-commander';
import { onServices } from '../modules';
import { BREAK, colors, print, printJson } from '../output';
import { FilteredCommand, filterOf, type FilterFlags } from './filter-options';
import { printItems } from './item';

const DEFAULT_LIMIT = 50;

@SubCommand({ name: 'list', description: 'what could not be delivered, newest first' })
export class DlqListCommand extends FilteredCommand {
  protected readonly examples = [
    ['the newest', 'dlq list'],
    ['what timed out within two hours', 'dlq list --error timeout --after 2h'],
    ['as JSON, a hundred', 'dlq list --limit 100 --format json'],
  ] as const;

  async run(_args: string[], flags: FilterFlags): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const filter = filterOf(flags);
    const { limit = DEFAULT_LIMIT, offset = 0 } = flags;
    const items = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).list(filter, { limit, offset }));
    if (flags.format === 'json') return printJson(items);
    const filtered = offset > 0 || Object.values(filter).some((value) => value !== null);
    if (items.length === 0)
      return print(filtered ? 'nothing in the dead letter queue matches' : colors.green('the dead letter queue is empty'));
    printItems(items);
    print(`${BREAK}One in full: dlq show ID     once more: dlq retry ID     many: dlq retry-all --dry-run`);
  }
}
