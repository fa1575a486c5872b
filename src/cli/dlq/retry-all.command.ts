import { Option, SubCommand } from 'nest-commander';
import type { ConfigChoice } from '../../redrive/dead-letters.service';
import type { SetStep, SetTotals, SetWorker } from '../../redrive/set-worker';
import { ExitCode } from '../../event/errors';
import { describeEnd, describeResult, runBulk, type BulkFigures, type BulkResult } from '../bulk/bulk-run';
import { rateOf, type Rate } from '../bulk/rate';
import { confirm } from '../confirm';
import { onServices } from '../modules';
import { BREAK, counted, print, printJson } from '../output';
import { operator } from './item';
import { dryRun, tokenOf } from './item-set';
import { CONFIG_CHOICE, mayAct, SetCommand, type SetFlags } from './set-options';

interface RetryAllFlags extends SetFlags {
  readonly rate?: Rate;
  readonly configVersion?: ConfigChoice;
  readonly despiteBreaker?: boolean;
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

  @Option({ flags: '--despite-breaker', description: 'also where the circuit breaker of an endpoint is open: they wait for it' })
  parseDespiteBreaker(): boolean {
    return true;
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
    else print(sentences(done, used, token));
    process.exitCode = done.interrupted ? ExitCode.interrupted : done.failed > 0 || done.stopped !== null ? ExitCode.error : ExitCode.ok;
  }
}

type SetTotalsOfRetry = Omit<SetTotals, 'running'>;

interface RetryAllResult extends BulkResult, SetTotalsOfRetry {}

async function act(token: string, config: ConfigChoice, used: string, flags: RetryAllFlags): Promise<RetryAllResult> {
  const { RedriveModule } = await import('../../redrive/redrive.module');
  const { AskedDeliveries } = await import('../../redrive/asked-deliveries.service');
  const { DeadLetterSets } = await import('../../redrive/dead-letter-sets.service');
  return onServices(flags, [RedriveModule], async (get) => {
    const { despiteBreaker = false } = flags;
    const worker = await get(DeadLetterSets).retrying(token, config, operator(), despiteBreaker);
    const { total, count } = worker;
    await confirm(`Try ${total} of ${counted(count, 'item')} once more, ${used}?`, mayAct(flags));
    const asked = get(AskedDeliveries);
    const since = await asked.now();
    const figures = async (): Promise<BulkFigures> => {
      const { delivered, failed, waiting, running } = await asked.progressSince(token, since);
      return { waiting, running, ended: { delivered, failed } };
    };
    const step = (size: number): Promise<SetStep | null> => worker.step(size);
    const watched = { token, despiteBreaker, figures };
    const result = await runBulk(asked, { total, rate: flags.rate ?? null, watched, step, endedBy: () => worker.endedBy });
    return { ...result, ...totalsOf(worker) };
  });
}

/** What is being tried is counted with what was asked for. */
function totalsOf({ totals: { alreadyUnderWay, left } }: SetWorker): SetTotalsOfRetry {
  return { alreadyUnderWay, left };
}

function sentences(result: RetryAllResult, used: string, token: string): string {
  const { asked, alreadyUnderWay, left } = result;
  const lines = [`${asked} asked for, ${used}`, ...describeResult(result, 'failed again', token)];
  if (alreadyUnderWay > 0) lines.push(`${alreadyUnderWay} already asked for by somebody, and not asked for twice`);
  if (left > 0) lines.push(`${left} delivered, discarded or tried since the dry run, and left alone`);
  return [...lines, ...describeEnd(result)].join(BREAK);
}
