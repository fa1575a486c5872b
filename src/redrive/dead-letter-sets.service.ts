import { Injectable } from '@nestjs/common';
import type { ClientBase } from 'pg';
import { Database } from '../database/database';
import { OperatorError } from '../event/errors';
import { readHeldEndpoints, type HeldEndpoint } from './asked.sql';
import { countSet, endpointsOf, previewSet, type DeadLetterSet } from './dead-letter-sets.sql';
import { usedConfiguration } from './dead-letters.service';
import type { DeadLetterFilter, DeadLetterItem } from './dead-letters.sql';
import { discardItems, requestRetries, type ConfigChoice, type RedriveAnswer, type RedriveRequest } from './redrive.sql';
import { restoreItems, type Restored } from './restore.sql';
import { issueToken, readToken, type NamedItems } from './set-token';
import { SetWorker, type SetTotals } from './set-worker';
import { takeBack, type TakenBack } from './take-back.sql';

export type { Restored } from './restore.sql';
export type { NamedItems } from './set-token';
export type { TakenBack } from './take-back.sql';

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
  /** Stands for exactly these, for a day; null when there are none. */
  readonly token: string | null;
  /** Endpoints of them that are left alone at the moment. */
  readonly held: readonly HeldItems[];
}

/** Items for an endpoint whose circuit breaker is not closed: one tries now and then, the others wait for it. */
export interface HeldItems extends HeldEndpoint {
  readonly count: number;
}

/** They would wait for hours: whoever asks for them all the same has to say so. */
export class EndpointsHeld extends OperatorError {}

/** The oldest `limit` (null: all) after `offset` of them. */
export interface SetRange {
  readonly limit: number | null;
  readonly offset: number;
}

export interface RetriedSet extends Omit<SetTotals, 'running'> {
  /** Of the set, when it began. */
  readonly total: number;
  readonly asked: number;
  /** Not asked for when it was stopped: the same token goes on with them. */
  readonly remaining: number;
}

export interface DiscardedSet extends SetTotals {
  /** Of the set, when it began. */
  readonly total: number;
  readonly discarded: number;
  /** Not come to when it was stopped: the same token goes on with them. */
  readonly remaining: number;
}

type SetAction = (client: ClientBase, request: Pick<RedriveRequest, 'ids' | 'snapshot' | 'set'>) => Promise<RedriveAnswer>;

/** Many items of the dead letter queue at once: a dry run shows them and gives a token, the token acts on exactly these. */
@Injectable()
export class DeadLetterSets {
  constructor(private readonly database: Database) {}

  /** Changes nothing. */
  preview(use: SetUse, filter: DeadLetterFilter, range: SetRange = { limit: null, offset: 0 }): Promise<ShownSet> {
    return this.database.use(async (client) => {
      const { set, sample } = await previewSet(client, filter, range, SAMPLE);
      const held = use === 'retry' ? await heldOf(client, set) : [];
      return { count: set.count, sample, token: set.count === 0 ? null : await issueToken(client, use, set), held };
    });
  }

  /**
   * One more try of each, step by step; nothing is asked for before the first.
   *
   * @param despiteBreaker also where an endpoint is left alone
   * @throws InvalidToken
   * @throws EndpointsHeld
   */
  async retrying(token: string, config: ConfigChoice, who: string, despiteBreaker: boolean): Promise<SetWorker> {
    const detail = `retry-all ${token}, ${usedConfiguration(config)}`;
    const act: SetAction = (client, items) => requestRetries(client, { ...items, who, detail, config });
    return this.open('retry', token, act, async (client, set) => {
      if (!despiteBreaker) requireTaking(await heldOf(client, set));
    });
  }

  /** Each is discarded, step by step; none before the first. @throws InvalidToken */
  discarding(token: string, reason: string | null, who: string): Promise<SetWorker> {
    return this.open('remove', token, (client, items) => discardItems(client, { ...items, who, detail: reason }));
  }

  /** Asks for one more try of each, batch after batch, without waiting for the outcomes. @throws InvalidToken, EndpointsHeld */
  async retryAll(
    token: string,
    config: ConfigChoice,
    who: string,
    { despiteBreaker, stopped }: { readonly despiteBreaker: boolean; readonly stopped: () => boolean },
  ): Promise<RetriedSet> {
    const worker = await this.retrying(token, config, who, despiteBreaker);
    const { asked, remaining } = await workOff(worker, stopped);
    const { alreadyUnderWay, left } = worker.totals;
    return { total: worker.total, asked, alreadyUnderWay, left, remaining };
  }

  /** Discards each, batch after batch. @throws InvalidToken */
  async discardAll(token: string, reason: string | null, who: string, stopped: () => boolean): Promise<DiscardedSet> {
    const worker = await this.discarding(token, reason, who);
    const { asked: discarded, remaining } = await workOff(worker, stopped);
    return { total: worker.total, discarded, ...worker.totals, remaining };
  }

  /** Takes back what was asked for (of a set: by a retry or a replay), as far as nobody has tried it. @throws InvalidToken */
  takeBack(items: NamedItems, reason: string | null, who: string): Promise<TakenBack> {
    return this.database.use((client) => takeBack(client, items, who, reason));
  }

  /** Puts back into the queue what was discarded. */
  restore(items: NamedItems, reason: string | null, who: string): Promise<Restored> {
    return this.database.use((client) => restoreItems(client, items, who, reason));
  }

  private async open(
    use: SetUse,
    token: string,
    act: SetAction,
    check: (client: ClientBase, set: DeadLetterSet) => Promise<void> = () => Promise.resolve(),
  ): Promise<SetWorker> {
    const { set, total } = await this.database.use(async (client) => {
      const read = await readToken<DeadLetterSet>(client, use, token);
      await check(client, read);
      return { set: read, total: await countSet(client, read) };
    });
    return new SetWorker(this.database, set, total, (client, ids) => act(client, { ids, snapshot: set.snapshot, set: token }));
  }
}

async function workOff(worker: SetWorker, stopped: () => boolean): Promise<{ readonly asked: number; readonly remaining: number }> {
  let [asked, passed] = [0, 0];
  for (let step = await worker.step(BATCH); step !== null; step = await worker.step(BATCH)) {
    asked += step.asked.length;
    passed += step.passed;
    if (stopped()) break;
  }
  return { asked, remaining: Math.max(0, worker.total - passed) };
}

async function heldOf(client: ClientBase, set: DeadLetterSet): Promise<HeldItems[]> {
  const held = await readHeldEndpoints(client);
  if (held.length === 0) return [];
  const counts = await endpointsOf(client, set);
  return counts.flatMap(({ endpoint, count }) => held.filter(({ name }) => name === endpoint).map((one) => ({ ...one, count })));
}

// A half-open one waits for somebody to try it: that may as well be one of these.
function requireTaking(held: readonly HeldItems[]): void {
  const open = held.filter(({ state }) => state === 'open');
  const [first] = open;
  if (first === undefined) return;
  const which = open.map(({ name, count }) => `${name} (${count} of them)`).join(', ');
  throw new EndpointsHeld(
    `the circuit breaker of ${which} is open: one would be tried now and then, and the others would wait`,
    `When it works again: fraiseql-observers breakers reset ${first.name}. To ask for them all the same: --despite-breaker`,
  );
}
