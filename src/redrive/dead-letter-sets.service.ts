import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { Database } from '../database/database';
import { countSet, previewSet, type DeadLetterSet } from './dead-letter-sets.sql';
import { usedConfiguration } from './dead-letters.service';
import type { DeadLetterFilter, DeadLetterItem } from './dead-letters.sql';
import { discardItems, requestRetries, type ConfigChoice, type RedriveAnswer, type RedriveRequest } from './redrive.sql';
import { issueToken, readToken, tokenName } from './set-token';
import { SetWorker, type SetTotals } from './set-worker';

const SAMPLE = 10;
/** Items of one transaction. */
const BATCH = 100;

/** What a set is looked at for. */
export type SetUse = 'retry' | 'remove';

/** What a dry run shows. */
export interface ShownSet {
  readonly count: number;
  /** The first of them. */
  readonly sample: readonly DeadLetterItem[];
  /** Stands for exactly these; null when there are none. */
  readonly token: string | null;
}

/** The oldest `limit` (null: all) after `offset` of them. */
export interface SetRange {
  readonly limit: number | null;
  readonly offset: number;
}

export interface RetriedSet extends SetTotals {
  /** Of the set, when it began. */
  readonly total: number;
  readonly asked: number;
  /** Not asked for when it was stopped: the same token goes on with them. */
  readonly remaining: number;
}

type SetAction = (client: ClientBase, request: Pick<RedriveRequest, 'ids' | 'snapshot'>) => Promise<RedriveAnswer>;

/** Many items of the dead letter queue at once: a dry run shows them and gives a token, the token acts on exactly these. */
@Injectable()
export class DeadLetterSets {
  constructor(private readonly database: Database) {}

  /** Changes nothing. */
  preview(use: SetUse, filter: DeadLetterFilter, range: SetRange = { limit: null, offset: 0 }): Promise<ShownSet> {
    return this.database.use(async (client) => {
      const { set, sample } = await previewSet(client, filter, range, SAMPLE);
      return { count: set.count, sample, token: set.count === 0 ? null : await issueToken(client, use, set) };
    });
  }

  /** One more try of each, step by step; nothing is asked for before the first. @throws InvalidToken */
  retrying(token: string, config: ConfigChoice, who: string): Promise<SetWorker> {
    const detail = `retry-all ${tokenName(token)}, ${usedConfiguration(config)}`;
    return this.open('retry', token, (client, items) => requestRetries(client, { ...items, who, detail, config }));
  }

  /** Each is discarded, step by step; none before the first. @throws InvalidToken */
  discarding(token: string, reason: string | null, who: string): Promise<SetWorker> {
    return this.open('remove', token, (client, items) => discardItems(client, { ...items, who, detail: reason }));
  }

  /** Asks for one more try of each, batch after batch, without waiting for the outcomes. @throws InvalidToken */
  async retryAll(token: string, config: ConfigChoice, who: string, stopped: () => boolean): Promise<RetriedSet> {
    const worker = await this.retrying(token, config, who);
    let [asked, passed] = [0, 0];
    for (let step = await worker.step(BATCH); step !== null; step = await worker.step(BATCH)) {
      asked += step.asked.length;
      passed += step.passed;
      if (stopped()) break;
    }
    return { total: worker.total, asked, ...worker.totals, remaining: Math.max(0, worker.total - passed) };
  }

  private async open(use: SetUse, token: string, act: SetAction): Promise<SetWorker> {
    const { set, total } = await this.database.use(async (client) => {
      const read = await readToken<DeadLetterSet>(client, use, token);
      return { set: read, total: await countSet(client, read) };
    });
    return new SetWorker(this.database, set, total, (client, ids) => act(client, { ids, snapshot: set.snapshot }));
  }
}
