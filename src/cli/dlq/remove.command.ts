import { Option, SubCommand } from 'nest-commander';
import type { SetStep, SetTotals } from '../../redrive/set-worker';
import { ExitCode, OperatorError } from '../../event/errors';
import { runBulk, type BulkResult } from '../bulk/bulk-run';
import { confirm } from '../confirm';
import { onServices } from '../modules';
import { BREAK, counted, print, printJson } from '../output';
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
    const { asked: discarded, interrupted, remaining, alreadyUnderWay, running, left } = done;
    if (flags.format === 'json') printJson({ discarded, alreadyUnderWay, running, left, remaining, interrupted });
    else print(sentences(done, token));
    if (interrupted) process.exitCode = ExitCode.interrupted;
  }
}

async function removeOne(id: string, flags: RemoveFlags): Promise<void> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { DeadLetters } = await import('../../redrive/dead-letters.service');
  await confirm(`Discard ${id}? It will not be delivered.`, mayAct(flags));
  const result = await onServices(flags, [RedriveModule], (get) => get(DeadLetters).discard(id, flags.reason ?? null, operator()));
  if (result === 'unknown') throw notFound(id);
  if (result === 'being tried') throw new OperatorError(`${id} is being tried at the moment`, 'Try again when that is over (dlq show).');
  if (result === 'asked for')
    throw new OperatorError(
      `one more try of ${id} was asked for, and waits`,
      `To take that back first: fraiseql-observers dlq cancel ${id}`,
    );
  if (flags.format === 'json') printJson({ id, result });
  else
    print(
      result === 'discarded'
        ? `discarded; it stays on record (dlq show), and comes back by: fraiseql-observers dlq restore ${id}`
        : 'nothing to do: it has left the dead letter queue already',
    );
}

interface RemoveResult extends Omit<BulkResult, 'running'>, SetTotals {}

async function removeMany(token: string, flags: RemoveFlags): Promise<RemoveResult> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { AskedDeliveries } = await import('../../redrive/asked-deliveries.service');
  const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
  return onServices(flags, [RedriveModule], async (get) => {
    const worker = await get(DeadLetterSets).discarding(token, flags.reason ?? null, operator());
    const { total, count } = worker;
    await confirm(`Discard ${total} of ${counted(count, 'item')}? ${total === 1 ? 'It' : 'They'} will not be delivered.`, mayAct(flags));
    const step = (size: number): Promise<SetStep | null> => worker.step(size);
    const result = await runBulk(get(AskedDeliveries), { total, rate: null, watched: null, step, endedBy: () => worker.endedBy });
    return { ...result, ...worker.totals };
  });
}

function sentences(result: RemoveResult, token: string): string {
  const { asked, alreadyUnderWay, running, left, interrupted, remaining } = result;
  const lines = [`${asked} discarded; they stay on record (dlq list --discarded)`];
  if (asked > 0) lines.push(`To have them back: fraiseql-observers dlq restore --set ${token}`);
  if (running > 0) lines.push(`${running} being tried at the moment, and not discarded`);
  if (alreadyUnderWay > running) lines.push(`${alreadyUnderWay - running} asked for and not tried yet, and not discarded (dlq cancel)`);
  if (left > 0) lines.push(`${left} delivered, discarded or tried since the dry run, and left alone`);
  if (interrupted) lines.push(`stopped: ${remaining} of the set remain; the same token goes on with them`);
  return lines.join(BREAK);
}
