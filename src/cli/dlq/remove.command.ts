import { Option, SubCommand } from 'nest-commander';
import type { SetStep, SetTotals } from '../../redrive/set-worker';
import { ExitCode, OperatorError } from '../../event/errors';
import { runBulk, type BulkResult } from '../bulk/bulk-run';
import { confirm } from '../confirm';
import { onServices } from '../modules';
import { BREAK, print, printJson } from '../output';
import { idFrom, notFound, operator } from './item';
import { dryRun, tokenOf } from './item-set';
import { mayAct, SetCommand, type SetFlags } from './set-options';

interface RemoveFlags extends SetFlags {
  readonly reason?: string;
}

@SubCommand({
  name: 'remove',
  arguments: '[id]',
  description: 'discard one item, or many as retry-all does; they stay on record, with who did it and why',
})
export class DlqRemoveCommand extends SetCommand {
  protected readonly examples = [
    ['give one up', 'dlq remove 5b2f1c3e-8d4a-5f6b-9c7d-0e1f2a3b4c5d'],
    ['which of many, changing nothing', 'dlq remove --observer order-shipped --before 2026-01-31 --dry-run'],
  ] as const;

  @Option({ flags: '--reason <text>', description: 'why, for the history of the items' })
  parseReason(value: string): string {
    return value;
  }

  async run(args: string[], flags: RemoveFlags): Promise<void> {
    if (args.length > 0) {
      if (flags.token !== undefined || flags.dryRun)
        throw new OperatorError('an id needs neither --dry-run nor --token', 'Give one of them.');
      return removeOne(idFrom(args), flags);
    }
    const token = tokenOf(flags, 'remove');
    if (token === null) return dryRun(flags, 'remove', 'remove');
    const done = await removeMany(token, flags);
    const { asked: discarded, interrupted, remaining, alreadyUnderWay, left } = done;
    if (flags.format === 'json') printJson({ discarded, alreadyUnderWay, left, remaining, interrupted });
    else print(sentences(done));
    if (interrupted) process.exitCode = ExitCode.interrupted;
  }
}

async function removeOne(id: string, flags: RemoveFlags): Promise<void> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { DeadLetters } = await import('../../redrive/dead-letters.service');
  await confirm(`Discard ${id}? It will not be delivered.`, mayAct(flags));
  const result = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).discard(id, flags.reason ?? null, operator()));
  if (result === 'unknown') throw notFound(id);
  if (result === 'under way') throw new OperatorError(`${id} is being tried at the moment`, 'Try again when that is over (dlq show).');
  if (flags.format === 'json') printJson({ id, result });
  else
    print(result === 'discarded' ? 'discarded; it stays on record (dlq show)' : 'nothing to do: it has left the dead letter queue already');
}

interface RemoveResult extends BulkResult, SetTotals {}

async function removeMany(token: string, flags: RemoveFlags): Promise<RemoveResult> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { AskedDeliveries } = await import('../../redrive/asked-deliveries.service');
  const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
  return onServices(flags, [RedriveModule], async (get) => {
    const worker = await get(DeadLetterSets).discarding(token, flags.reason ?? null, operator());
    const { total, count } = worker;
    await confirm(`Discard ${total} of ${count} items? They will not be delivered.`, mayAct(flags));
    const step = (size: number): Promise<SetStep | null> => worker.step(size);
    const result = await runBulk(get(AskedDeliveries), { total, rate: null, watched: false, step });
    return { ...result, ...worker.totals };
  });
}

function sentences({ asked, alreadyUnderWay, left, interrupted, remaining }: RemoveResult): string {
  const lines = [`${asked} discarded; they stay on record (dlq show)`];
  if (alreadyUnderWay > 0) lines.push(`${alreadyUnderWay} being tried at the moment, and not discarded`);
  if (left > 0) lines.push(`${left} delivered, discarded or tried since the dry run, and left alone`);
  if (interrupted) lines.push(`stopped: ${remaining} of the set remain; the same token goes on with them`);
  return lines.join(BREAK);
}
