import { SubCommand } from 'nest-commander';
import type { TakenBack } from '../../redrive/dead-letter-sets.service';
import { ExitCode } from '../../event/errors';
import { onServices } from '../modules';
import { BREAK, counted, print, printJson } from '../output';
import { operator } from './item';
import { namedBy, NamedItemsCommand, type NamedItemsFlags } from './named-items';

@SubCommand({
  name: 'cancel',
  arguments: '[ids...]',
  description: 'take back retries that were asked for and that nobody has tried yet: the items are in the queue as they were',
})
export class DlqCancelCommand extends NamedItemsCommand {
  protected readonly examples = [
    ['all of a retry-all, or of a replay, that waits', 'dlq cancel --set 3f8k2m7q9x4r'],
    ['one', 'dlq cancel 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d --reason "the receiver is still down"'],
  ] as const;

  async run(ids: string[], flags: NamedItemsFlags): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
    const named = namedBy(ids, flags);
    const { reason = null } = flags;
    const taken = await onServices(flags, [RedriveModule], (get) =>
      'token' in named
        ? get(DeadLetterSets).takeBack(named.token, reason, operator())
        : get(DeadLetters).takeBack(named.ids, reason, operator()),
    );
    if (flags.format === 'json') printJson(taken);
    else print(sentences(taken));
    if (taken.unknown.length > 0) process.exitCode = ExitCode.notFound;
  }
}

function sentences({ takenBack, running, tried, left, unknown }: TakenBack): string {
  const lines = [`${takenBack} taken back: nobody had tried ${takenBack === 1 ? 'it' : 'them'}`];
  if (running > 0) lines.push(`${counted(running, 'is', 'are')} being tried at this moment, and ${running === 1 ? 'ends' : 'end'}`);
  if (tried > 0) lines.push(`${tried} tried before: tried again by the policy of their observers`);
  for (const id of left) lines.push(`${id}: nothing is asked for, or it has ended (dlq show)`);
  for (const id of unknown) lines.push(`${id}: there is no such item`);
  return lines.join(BREAK);
}
