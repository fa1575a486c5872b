import { beginReplay, finishReplay, replayName } from '../../redrive/replay.sql';
import { previewReplay, type ReplayPreview } from '../../redrive/replay-preview';
import type { ReplayPlan } from '../../redrive/replay-scan';
import { ReplayWorker } from '../../redrive/replay-worker';
import { Matcher } from '../../matching/matcher';
import { Problem } from '../http/problem';
import type { ApiContext } from './api-context';
import { readTokenOf } from './set-tokens';

/** More deliveries than one event has, so that one step does all of it. */
const ALL = 10_000;

/** What a replay of one change would send. Nothing is changed. */
export async function previewOf(
  api: ApiContext,
  change: number,
  observers: readonly string[],
  actions: readonly string[] | null,
): Promise<ReplayPreview> {
  const { stream, maxEventSize } = api.options;
  const running = await api.running();
  const range = { entityType: null, entityKey: null, after: null, before: null, fromChange: change, toChange: change, event: null };
  const request = { stream, range, observers, actions, config: running.hash, known: running.observers(), maxEventSize };
  return api.onClient((client) => previewReplay(client, request));
}

export interface QueuedReplay {
  readonly queued: { changeNumber: number; observer: string; action: string }[];
  readonly alreadyUnderWay: number;
}

/** Queues what the dry run has shown. @throws Problem when the token is for something else, or was used */
export async function replayBy(api: ApiContext, token: string, change: number, who: string): Promise<QueuedReplay> {
  const plan = await readTokenOf<ReplayPlan>(api, 'replay', token);
  const running = await api.running();
  if (plan.config !== running.hash || plan.stream !== api.stream)
    throw new Problem('conflict', 'the observers file has changed since the dry run', { remedy: 'Make the dry run again.' });
  if (plan.range.fromChange !== change || plan.range.toChange !== change)
    throw new Problem('invalid-token', 'this token is for another event', { remedy: 'Make the dry run of this event.' });
  return api.onClient(async (client) => {
    const id = replayName(token);
    const state = await beginReplay(client, id, who);
    if (state.finished)
      throw new Problem('conflict', 'this token has been used: what it stands for was sent', { remedy: 'Make the dry run again.' });
    const matcher = new Matcher(running.observers());
    const worker = new ReplayWorker(client, matcher, plan, api.options.maxEventSize, { id, after: state.after });
    const queued: QueuedReplay['queued'] = [];
    for (let step = await worker.step(ALL); step !== null; step = await worker.step(ALL)) {
      for (const { changeNumber, observer, action } of step.asked)
        if (observer !== null && action !== null) queued.push({ changeNumber: Number(changeNumber), observer, action });
    }
    await finishReplay(client, id);
    return { queued, alreadyUnderWay: worker.alreadyUnderWay };
  });
}
