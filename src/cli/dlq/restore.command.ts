import { SubCommand } from 'nest-commander';
import type { DeadLetterSets, NamedItems, Restored } from '../../redrive/dead-letter-sets.service';
import { NamedItemsCommand } from './named-items';

@SubCommand({
  name: 'restore',
  arguments: '[ids...]',
  description: 'put items that were discarded, or skipped in their lanes, back into the queue',
})
export class DlqRestoreCommand extends NamedItemsCommand<Restored> {
  protected readonly examples = [
    ['all that a remove has discarded', 'dlq restore --set 3f8k2m7q9x4r'],
    ['one', 'dlq restore 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d'],
  ] as const;

  protected undo(sets: DeadLetterSets, items: NamedItems, reason: string | null, who: string): Promise<Restored> {
    return sets.restore(items, reason, who);
  }

  protected sentences({ restored, gone, left }: Restored): string[] {
    const lines = [`${restored} in the dead letter queue again (dlq list)`];
    if (gone > 0) lines.push(`${gone} not: their changes are older than OBSERVERS_RETENTION, and no longer in the change log`);
    if (left.length > 0) lines.push(`${left.length} neither discarded nor skipped, and left alone`);
    return lines;
  }

  protected isMissed({ restored }: Restored): boolean {
    return restored === 0;
  }
}
