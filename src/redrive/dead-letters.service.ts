import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import { UNBOUND, type Bounds } from '../event/bounds';
import { AskedDeliveries } from './asked-deliveries.service';
import {
  countDeadLetters,
  countListed,
  listDeadLetters,
  pageOfDeadLetters,
  showDeadLetter,
  type DeadLetterDetails,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterItem,
  type GroupColumn,
  type ListedState,
  type ListPlace,
} from './dead-letters.sql';
import type { HeldEndpoint } from './asked.sql';
import { discardItems, requestRetries, type ConfigChoice } from './redrive.sql';

export type { DeadLetterDetails, DeadLetterFilter, DeadLetterGroup, DeadLetterItem, GroupColumn } from './dead-letters.sql';
export type { ConfigChoice } from './redrive.sql';

/** How many there are. Without any, they have no times. */
export interface DeadLetterCount {
  readonly count: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly groups: readonly DeadLetterGroup[];
}

/** What has become of the wish for one more try. `resolved`: the item has left the queue already, and nothing was asked for. */
export type RetryRequest = 'queued' | 'already under way' | 'resolved' | 'unknown';

/** `asked for`: somebody wants it tried, and nobody has begun. */
export type DiscardResult = 'discarded' | 'already resolved' | 'asked for' | 'being tried' | 'unknown';

/** How a retry that was asked for has ended, or why there is no end to tell of. */
export type RetryEnd =
  | { readonly is: 'delivered' | 'failed'; readonly message: string | null }
  /** Nobody can be expected to make the try now. */
  | { readonly is: 'not led' }
  /** The circuit breaker of its endpoint lets nobody through. */
  | { readonly is: 'held'; readonly endpoint: HeldEndpoint }
  | { readonly is: 'taken back' }
  | { readonly is: 'under way' };

const LOOK_EVERY = 200;

/** For people, and for an item's history. */
export function usedConfiguration(config: ConfigChoice): string {
  return `with the ${config} configuration`;
}

/** The dead letter queue, item by item. Ids are delivery ids, and event ids of quarantined changes. */
@Injectable()
export class DeadLetters {
  constructor(
    private readonly database: Database,
    private readonly asked: AskedDeliveries,
  ) {}

  /** Newest first, and how many there are in all. */
  list(
    filter: DeadLetterFilter,
    range: { readonly limit: number; readonly offset: number },
    state: ListedState = 'open',
  ): Promise<{ readonly items: DeadLetterItem[]; readonly total: number }> {
    return this.database.use(async (client) => ({
      items: await listDeadLetters(client, filter, range, state),
      total: await countListed(client, filter, state),
    }));
  }

  /** Newest first, behind a place: what dies meanwhile moves no page. */
  page(filter: DeadLetterFilter, behind: ListPlace | null, limit: number, bounds: Bounds): Promise<DeadLetterItem[]> {
    return this.database.use((client) => pageOfDeadLetters(client, filter, behind, limit, bounds));
  }

  /** How many there are in all, and by these columns. */
  count(filter: DeadLetterFilter, columns: readonly GroupColumn[], bounds: Bounds = UNBOUND): Promise<DeadLetterCount> {
    return this.database.use(async (client) => {
      const groups = await countDeadLetters(client, filter, columns, bounds);
      const [{ count, oldest, newest } = { count: 0, oldest: null, newest: null }] = await countDeadLetters(client, filter, [], bounds);
      return { count, oldest, newest, groups };
    });
  }

  /** @returns null when there is no such item */
  show(id: string): Promise<DeadLetterDetails | null> {
    return this.database.use((client) => showDeadLetter(client, id));
  }

  /** Asks for one more try; the service makes it. */
  async retry(id: string, config: ConfigChoice, who: string): Promise<RetryRequest> {
    const request = { ids: [id], who, detail: usedConfiguration(config), config, snapshot: null };
    const { queued, left, unknown } = await this.database.use((client) => requestRetries(client, request));
    if (unknown.length > 0) return 'unknown';
    if (left.length > 0) return 'resolved';
    return queued.length > 0 ? 'queued' : 'already under way';
  }

  /**
   * How a retry that was asked for ends: it is looked for until it is there, or nobody can be expected to make the try. No connection is
   * held meanwhile.
   *
   * @param wait milliseconds
   * @param cancelled whether whoever asked has gone
   */
  async endOf(id: string, wait: number, cancelled: () => boolean = () => false): Promise<RetryEnd> {
    const item = await this.show(id);
    if (item === null || !(await this.asked.isLed())) return { is: 'not led' };
    const delivery = { changeNumber: String(item.changeNumber), observer: item.observer, action: item.action };
    for (const until = performance.now() + wait; !cancelled();) {
      const [found] = await this.asked.progressOf([delivery]);
      if (found?.is === 'failed') return { is: 'failed', message: await this.lastMessage(id, found.message) };
      if (found?.is === 'taken back') return { is: 'taken back' };
      if (found?.is === 'delivered')
        return { is: 'delivered', message: item.observer === null ? 'it left the quarantine; its deliveries are under way' : null };
      if (performance.now() >= until) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
    const held = (await this.asked.held()).find(({ name }) => name === item.endpoint);
    return held === undefined ? { is: 'under way' } : { is: 'held', endpoint: held };
  }

  /** Of a quarantined change its own; of a delivery that of the retry. */
  private async lastMessage(id: string, ofDelivery: string | null): Promise<string | null> {
    return ofDelivery ?? (await this.show(id))?.message ?? null;
  }

  /** Takes an item out of the queue for good: it stays on record, with who did it and why. */
  async discard(id: string, reason: string | null, who: string): Promise<DiscardResult> {
    const request = { ids: [id], who, detail: reason, snapshot: null };
    const { queued, waiting, running, unknown } = await this.database.use((client) => discardItems(client, request));
    if (unknown.length > 0) return 'unknown';
    if (running.length > 0) return 'being tried';
    if (waiting.length > 0) return 'asked for';
    return queued.length > 0 ? 'discarded' : 'already resolved';
  }
}
