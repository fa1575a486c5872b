import type { z } from 'zod';
import { usedConfiguration } from '../../redrive/config-choice';
import { countSet, previewSet, type DeadLetterSet } from '../../redrive/dead-letter-sets.sql';
import type { DeadLetterFilter } from '../../redrive/dead-letters.sql';
import { requestRetries, type ConfigChoice } from '../../redrive/redrive.sql';
import { issueToken, tokenName } from '../../redrive/set-token';
import { SetWorker } from '../../redrive/set-worker';
import type { RETRY_ALL_RESULT, SET_PREVIEW } from '../schema/dead-letters';
import type { ApiContext } from './api-context';
import { readTokenOf } from './set-tokens';

const SAMPLE = 10;
/** Items of one transaction. */
const BATCH = 100;
/** For which one request goes on (ms): whoever asked waits for it. The same token goes on with the rest. */
const LONGEST = 20_000;

/** Changes nothing: how many there are, the first of them, and the token that stands for exactly these. */
export function previewOfRetries(api: ApiContext, filter: DeadLetterFilter): Promise<z.output<typeof SET_PREVIEW>> {
  return api.onClient(async (client) => {
    const { set, sample } = await previewSet(client, filter, { limit: null, offset: 0 }, SAMPLE);
    return { count: set.count, sample: [...sample], token: set.count === 0 ? null : await issueToken(client, 'retry', set) };
  });
}

/** Asks for one more try of each item of the set, batch after batch, without waiting for the outcomes. */
export async function retrySet(
  api: ApiContext,
  token: string,
  config: ConfigChoice,
  who: string,
  cancelled: () => boolean,
): Promise<z.output<typeof RETRY_ALL_RESULT>> {
  const set = await readTokenOf<DeadLetterSet>(api, 'retry', token);
  const total = await countSet(api.pool, set);
  const request = { who, detail: `retry-all ${tokenName(token)}, ${usedConfiguration(config)}`, config, snapshot: set.snapshot };
  const worker = new SetWorker(api.pool, set, (ids) => api.onClient((client) => requestRetries(client, { ...request, ids })));
  const until = performance.now() + LONGEST;
  let [asked, passed] = [0, 0];
  for (let step = await worker.step(BATCH); step !== null; step = await worker.step(BATCH)) {
    asked += step.asked.length;
    passed += step.passed;
    if (performance.now() > until || cancelled()) break;
  }
  const { alreadyUnderWay, left } = worker.totals;
  return { configVersion: config, total, asked, alreadyUnderWay, left: left + set.count - total, remaining: Math.max(0, total - passed) };
}
