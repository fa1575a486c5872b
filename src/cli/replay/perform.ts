import type { Client } from 'pg';
import type { LoadedConfiguration } from '../../config/load';
import { ExitCode, OperatorError } from '../../event/errors';
import type { ReplayPlan } from '../../redrive/replay-scan';
import type { BulkResult } from '../bulk/bulk-run';
import { configurationOf } from '../command';
import { confirm } from '../confirm';
import { withDatabase } from '../modules';
import { operator } from '../dlq/item';
import { counted } from '../output';
import type { ReplayFlags } from './flags';

export interface ReplayResult extends BulkResult {
  readonly alreadyUnderWay: number;
}

/** Queues what the dry run has shown, from where an earlier run with the same token was stopped. */
export async function performReplay(token: string, flags: ReplayFlags): Promise<ReplayResult> {
  const configuration = await configurationOf(flags);
  return withDatabase(configuration.settings, async (client) => {
    const { readToken } = await import('../../redrive/set-token');
    const { beginReplay, finishReplay, replayName } = await import('../../redrive/replay.sql');
    const { ReplayWorker } = await import('../../redrive/replay-worker');
    const { Matcher } = await import('../../matching/matcher');
    const { runBulk } = await import('../bulk/bulk-run');
    const plan = await readToken<ReplayPlan>(client, 'replay', token);
    await requireSameConfiguration(client, plan, configuration);
    await confirm(`Send ${counted(plan.count, 'delivery', 'deliveries')} once more?`, (flags.yes ?? false) || (flags.force ?? false));
    const id = replayName(token);
    const state = await beginReplay(client, id, operator());
    if (state.finished) throw new OperatorError('this token has been used: what it stands for was sent', 'Make the dry run again.');
    const { file, settings } = configuration;
    const worker = new ReplayWorker(client, new Matcher(file.definition.observers), plan, settings.maxEventSize, {
      id,
      after: state.after,
    });
    const total = Math.max(0, plan.count - state.asked);
    const result = await runBulk(client, { total, rate: flags.rate ?? null, watched: true, step: (size) => worker.step(size) });
    if (!result.interrupted) await finishReplay(client, id);
    return { ...result, alreadyUnderWay: worker.alreadyUnderWay };
  });
}

/** Other conditions would find other deliveries; and a service that never had this file would not know what to send. */
async function requireSameConfiguration(client: Client, plan: ReplayPlan, { file, settings }: LoadedConfiguration): Promise<void> {
  if (plan.config !== file.source.hash || plan.stream !== settings.stream) {
    throw new OperatorError('the observers file has changed since the dry run', 'Make the dry run again.', ExitCode.configuration);
  }
  const { rowCount } = await client.query('select from observers.config_version where hash = $1', [file.source.hash]);
  if (rowCount === 0) {
    throw new OperatorError(
      'no service has run with this observers file yet, so it would send by another one',
      'Start the service with this file first, or name the file that it runs with (--config).',
      ExitCode.configuration,
    );
  }
}
