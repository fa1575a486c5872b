import { SubCommand } from 'nest-commander';
import type { DeadLetterSets, NamedItems, TakenBack } from '../../redrive/dead-letter-sets.service';
import { counted } from '../output';
import { NamedItemsCommand } from './named-items';

@SubCommand({
  name: 'cancel',
  arguments: '[ids...]',
  description: 'take back retries that were asked for and that nobody has tried yet: the items are in the queue as they were',
})
export class DlqCancelCommand extends NamedItemsCommand<TakenBack> {
  protected readonly examples = [
    ['all of a retry-all, or of a replay, that waits', 'dlq cancel --set 3f8k2m7q9x4r'],
    ['one', 'dlq cancel 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d --reason "the receiver is still down"'],
  ] as const;

  protected undo(sets: DeadLetterSets, items: NamedItems, reason: string | null, who: string): Promise<TakenBack> {
    return sets.takeBack(items, reason, who);
  }

  protected sentences({ takenBack, running, tried, left, unknown }: TakenBack): string[] {
    const lines = [`${takenBack} taken back: nobody had tried ${takenBack === 1 ? 'it' : 'them'}`];
    if (running > 0) lines.push(`${counted(running, 'is', 'are')} being tried at this moment, and ${running === 1 ? 'ends' : 'end'}`);
    if (tried > 0) lines.push(`${tried} tried before: tried again by the policy of their observers`);
    for (const id of left) lines.push(`${id}: nothing is asked for, or it has ended (dlq show)`);
    for (const id of unknown) lines.push(`${id}: there is no such item`);
    return lines;
  }

  protected isMissed({ unknown }: TakenBack): boolean {
    return unknown.length > 0;
  }
}
