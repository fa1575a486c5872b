import { Option, SubCommand } from 'nest-commander';
import type { ConfigChoice } from '../../redrive/dead-letters.service';
import type { SetStep, SetTotals } from '../../redrive/set-worker';
import { ExitCode } from '../../event/errors';
import { describeResult, runBulk, type BulkResult } from '../bulk/bulk-run';
import { rateOf, type Rate } from '../bulk/rate';
import { confirm } from '../confirm';
import { onServices } from '../modules';
import { BREAK, print, printJson } from '../output';
import { operator } from './item';
import { dryRun, tokenOf } from './item-set';
import { CONFIG_CHOICE, mayAct, SetCommand, type SetFlags } from './set-options';

interface RetryAllFlags extends SetFlags {
  readonly rate?: Rate;
  readonly configVersion?: ConfigChoice;
}

@SubCommand({ name: 'retry-all', description: 'try many once more: --dry-run shows them and gives a token, --token acts on exactly these' })
export class DlqRetryAllCommand extends SetCommand {
  protected readonly examples = [
    ['which, and a token for exactly these', 'dlq retry-all --observer order-shipped --error timeout --dry-run'],
    ['these, ten a second', 'dlq retry-all --token TOKEN --rate 10/s --yes'],
  ] as const;

  @Option({ flags: '--rate <rate>', description: 'at most so many, such as 50/s' })
  parseRate(value: string): Rate {
    return rateOf(value);
  }

  @Option(CONFIG_CHOICE)
  parseConfigVersion(value: string): string {
    return value;
  }

  async run(_args: string[], flags: RetryAllFlags): Promise<void> {
    const token = tokenOf(flags, 'retry-all');
    if (token === null) return dryRun(flags, 'retry', 'retry-all');
    const { usedConfiguration } = await import('../../redrive/dead-letters.service');
    const config = flags.configVersion ?? 'current';
    const used = usedConfiguration(config);
    const done = await act(token, config, used, flags);
    if (flags.format === 'json') printJson({ configVersion: config, ...done });
    else print(sentences(done, used));
    process.exitCode = done.interrupted ? ExitCode.interrupted : done.failed > 0 ? ExitCode.error : ExitCode.ok;
  }
}

interface RetryAllResult extends BulkResult, SetTotals {}

async function act(token: string, config: ConfigChoice, used: string, flags: RetryAllFlags): Promise<RetryAllResult> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { AskedDeliveries } = await import('../../redrive/asked-deliveries.service');
  const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
  return onServices(flags, [RedriveModule], async (get) => {
    const worker = await get(DeadLetterSets).retrying(token, config, operator());
    const { total, count } = worker;
    await confirm(`Try ${total} of ${count} items once more, ${used}?`, mayAct(flags));
    const step = (size: number): Promise<SetStep | null> => worker.step(size);
    const result = await runBulk(get(AskedDeliveries), { total, rate: flags.rate ?? null, watched: true, step });
    return { ...result, ...worker.totals };
  });
}

function sentences(result: RetryAllResult, used: string): string {
  const { asked, alreadyUnderWay, left } = result;
  const lines = [`${asked} asked for, ${used}`, ...describeResult(result, 'failed again')];
  if (alreadyUnderWay > 0) lines.push(`${alreadyUnderWay} already under way, and not asked for twice`);
  if (left > 0) lines.push(`${left} delivered, discarded or tried since the dry run, and left alone`);
  if (result.interrupted) lines.push(`stopped: ${result.remaining} of the set remain; the same token goes on with them`);
  return lines.join(BREAK);
}
