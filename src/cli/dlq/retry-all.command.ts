import { Option, SubCommand } from 'nest-commander';
import { usedConfiguration } from '../../redrive/config-choice';
import type { DeadLetterSet } from '../../redrive/dead-letter-sets.sql';
import type { ConfigChoice } from '../../redrive/redrive.sql';
import type { SetTotals } from '../../redrive/set-worker';
import { ExitCode } from '../../event/errors';
import type { BulkResult } from '../bulk/bulk-run';
import { parseRate, type Rate } from '../bulk/rate';
import { describeResult } from '../bulk/result';
import { confirm } from '../confirm';
import { onDatabase } from '../modules';
import { print, printJson } from '../output';
import { CONFIG_CHOICE } from './config-choice';
import { operator } from './item';
import { dryRun, tokenOf } from './item-set';
import { mayAct, SetCommand, type SetFlags } from './set-options';

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
    return parseRate(value);
  }

  @Option(CONFIG_CHOICE)
  parseConfigVersion(value: string): string {
    return value;
  }

  async run(_args: string[], flags: RetryAllFlags): Promise<void> {
    const token = tokenOf(flags, 'retry-all');
    if (token === null) return dryRun(flags, 'retry', 'retry-all');
    const config = flags.configVersion ?? 'current';
    const done = await act(token, config, flags);
    if (flags.format === 'json') printJson({ configVersion: config, ...done });
    else print(sentences(done, config));
    process.exitCode = done.interrupted ? ExitCode.interrupted : done.failed > 0 ? ExitCode.error : ExitCode.ok;
  }
}

interface RetryAllResult extends BulkResult, SetTotals {}

function act(token: string, config: ConfigChoice, flags: RetryAllFlags): Promise<RetryAllResult> {
  return onDatabase(flags, async (client) => {
    const { readToken, tokenName } = await import('../../redrive/set-token');
    const { countSet } = await import('../../redrive/dead-letter-sets.sql');
    const { requestRetries } = await import('../../redrive/redrive.sql');
    const { SetWorker } = await import('../../redrive/set-worker');
    const { runBulk } = await import('../bulk/bulk-run');
    const set = await readToken<DeadLetterSet>(client, 'retry', token);
    const total = await countSet(client, set);
    await confirm(`Try ${total} of ${set.count} items once more, ${usedConfiguration(config)}?`, mayAct(flags));
    const detail = `retry-all ${tokenName(token)}, ${usedConfiguration(config)}`;
    const request = { who: operator(), detail, config, snapshot: set.snapshot };
    const worker = new SetWorker(client, set, (ids) => requestRetries(client, { ...request, ids }));
    const result = await runBulk(client, { total, rate: flags.rate ?? null, watched: true, step: (size) => worker.step(size) });
    const { alreadyUnderWay, left } = worker.totals;
    return { ...result, alreadyUnderWay, left: left + set.count - total };
  });
}

function sentences(result: RetryAllResult, config: ConfigChoice): string {
  const { asked, alreadyUnderWay, left } = result;
  const lines = [`${asked} asked for, ${usedConfiguration(config)}`, ...describeResult(result, 'failed again')];
  if (alreadyUnderWay > 0) lines.push(`${alreadyUnderWay} already under way, and not asked for twice`);
  if (left > 0) lines.push(`${left} delivered, discarded or tried since the dry run, and left alone`);
  if (result.interrupted) lines.push(`stopped: ${result.remaining} of the set remain; the same token goes on with them`);
  return lines.join('\n');
}
