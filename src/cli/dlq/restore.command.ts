import { SubCommand } from 'nest-commander';
import type { Restored } from '../../redrive/dead-letter-sets.service';
import { ExitCode } from '../../event/errors';
import { onServices } from '../modules';
import { BREAK, print, printJson } from '../output';
import { operator } from './item';
import { namedBy, NamedItemsCommand, type NamedItemsFlags } from './named-items';

@SubCommand({
  name: 'restore',
  arguments: '[ids...]',
  description: 'put items that were discarded, or skipped in their lanes, back into the queue',
})
export class DlqRestoreCommand extends NamedItemsCommand {
  protected readonly examples = [
    ['all that a remove has discarded', 'dlq restore --set 3f8k2m7q9x4r'],
    ['one', 'dlq restore 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d'],
  ] as const;

  async run(ids: string[], flags: NamedItemsFlags): Promise<void> {
    const { RedriveModule } = await import('../../redrive/redrive.module');
    const { DeadLetters } = await import('../../redrive/dead-letters.service');
    const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
    const named = namedBy(ids, flags);
    const { reason = null } = flags;
    const done = await onServices(flags, [RedriveModule], (get) =>
      'token' in named
        ? get(DeadLetterSets).restore(named.token, reason, operator())
        : get(DeadLetters).restore(named.ids, reason, operator()),
    );
    if (flags.format === 'json') printJson(done);
    else print(sentences(done));
    if (done.restored === 0) process.exitCode = ExitCode.notFound;
  }
}

function sentences({ restored, gone, left }: Restored): string {
  const lines = [`${restored} in the dead letter queue again (dlq list)`];
  if (gone > 0) lines.push(`${gone} not: their changes are older than OBSERVERS_RETENTION, and no longer in the change log`);
  if (left.length > 0) lines.push(`${left.length} neither discarded nor skipped, and left alone`);
  return lines.join(BREAK);
}
