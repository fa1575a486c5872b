import type { ClientBase, Pool } from 'pg';
import type { Settings } from '../../config/settings';
import { clusterOf } from '../../connections/elasticsearch/connection';
import type { Cluster } from '../../connections/elasticsearch/cluster';
import { pooledTransaction, SNAPSHOT } from '../../database/transaction';
import { messageOf } from '../../event/errors';
import type { TermContext } from '../../event/term-context';
import { Pause } from '../../event/timing';
import type { SideJob } from '../../pipeline/side-job';
import { MAPPING_VERSION } from '../elasticsearch/index-definition';
import { IndexServer, IndexUnavailable } from '../elasticsearch/index-server';
import { tell } from './bulk';
import { documentsOf } from './document';
import { readRecorded, touchedChanges, type Recorded } from './documents.sql';
import {
  askedAgain, beginFeeds, makeLive, noteProblem, openWindow, readDatabaseMark, readFeeds, saveFeedStep,
  type Feed, type FeedFence, type FeedStep, type Rejected,
} from './feed.sql'; // prettier-ignore

/** Changes of a step: halved while Elasticsearch has too much to do, doubled when it takes them. */
const BATCH = { least: 10, most: 500 };
/** Characters of what is read at once: of more than this fewer changes are read the next time. */
const MOST_READ = 8 * 1024 * 1024;
/** Transactions that are looked at together: doubled while they tell little, and fewer where they tell more than a batch. */
const SPAN = { least: 500, most: 100_000 };
/** Looks without a finding in one step. */
const LOOKS = 20;
/** Milliseconds after a failure, doubled each time. */
const PATIENCE = { first: 500, longest: 10_000 };
/** Milliseconds, whatever Elasticsearch asks for. */
const LONGEST_WAIT = 60_000;
const TIDY_EVERY = 3_600_000;
const DAY = 86_400_000;

/** By its indexes: a planner that knows little of the tables would rather read them whole. */
const BY_INDEX = `${SNAPSHOT}; set local enable_seqscan = off`;

const NOTHING: Recorded = { changes: [], version: '0' };

type Place = FeedStep['place'];

/** What a step has found to be told. */
interface Found {
  readonly place: Place;
  readonly recorded: Recorded;
  readonly numbers: readonly number[];
}

/**
 * Tells the index what has been committed, as long as this instance leads the stream: window after window between two snapshots, in each
 * transaction after transaction. How far it is stands in PostgreSQL, and is moved when Elasticsearch has taken what lies before.
 */
export class IndexFeed implements SideJob {
  private readonly fence: FeedFence;
  private opened: { readonly cluster: Cluster; readonly server: IndexServer } | null = null;
  private batch = BATCH.most;
  private span = SPAN.least;
  /** What was read last was more than is to be in memory at once. */
  private isHeavy = false;
  /** By generation: the target of a window that is read to its end, and held nothing since it was last stored. */
  private readonly read = new Map<number, string>();
  private patience = PATIENCE.first;
  private failing = false;
  private tidiedAt = -Infinity;
  private stopped = false;
  private readonly pausing = new Pause();
  private readonly running: Promise<void>;

  constructor(
    private readonly term: TermContext,
    private readonly pool: Pool,
    private readonly settings: Settings,
  ) {
    this.fence = { stream: term.stream, epoch: term.epoch, index: settings.searchIndex };
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.pausing.wake();
    // A request under way may be one that is never answered: it is cut, and told again by whoever leads next.
    await this.opened?.cluster.close();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped && !this.term.mandate.lost) {
      const began = performance.now();
      const more = this.term.mandate.valid ? await this.round() : false;
      // Half of the time at most: deliveries come first.
      const wait = more === true ? performance.now() - began : more === false ? this.settings.searchInterval : more;
      if (!this.stopped) await this.pausing.for(wait);
    }
    await this.opened?.cluster.close();
  }

  /** @returns whether there is more to do at once, or for how many milliseconds nothing can be done */
  private async round(): Promise<boolean | number> {
    try {
      const more = await this.step();
      if (this.failing) this.term.logger.info('the search index takes documents again');
      this.failing = false;
      this.patience = PATIENCE.first;
      this.batch = this.isHeavy ? Math.max(BATCH.least, Math.floor(this.batch / 4)) : Math.min(BATCH.most, this.batch * 2);
      return more;
    } catch (error) {
      return this.failed(error);
    }
  }

  private async failed(error: unknown): Promise<number> {
    if (this.stopped) return 0;
    if (!this.failing)
      this.term.logger.warn(
        { err: messageOf(error) },
        'the search index is not told of what happens; it is tried again, and nothing is lost',
      );
    this.failing = true;
    this.opened?.server.forget();
    this.span = SPAN.least;
    if (error instanceof IndexUnavailable && error.overloaded) this.batch = Math.max(BATCH.least, Math.floor(this.batch / 2));
    const asked = error instanceof IndexUnavailable ? (error.retryAfter ?? 0) : 0;
    const wait = Math.max(asked, this.patience);
    this.patience = Math.min(PATIENCE.longest, this.patience * 2);
    const remedy = error instanceof IndexUnavailable ? `. ${error.remedy}` : '';
    await noteProblem(this.pool, this.fence, `${messageOf(error)}${remedy}`).catch(() => undefined);
    return Math.min(wait, LONGEST_WAIT);
  }

  private async step(): Promise<boolean> {
    const { server } = (this.opened ??= await this.open());
    if (this.stopped) return false;
    await server.prepare([], false);
    const feeds = await readFeeds(this.pool, this.fence);
    await this.tidy(server, feeds);
    let more = false;
    for (const feed of feeds) more = (await this.forward(feed, feeds.length > 1)) || more;
    return more;
  }

  private async open(): Promise<NonNullable<typeof this.opened>> {
    await beginFeeds(this.pool, this.fence);
    const database = await readDatabaseMark(this.pool);
    const cluster = await clusterOf(this.settings);
    const mark = { product: 'fraiseql-observers', version: MAPPING_VERSION, database, stream: this.term.stream } as const;
    return { cluster, server: new IndexServer(cluster, this.settings.searchIndex, mark) };
  }

  /** @returns whether there is more to do at once */
  private async forward(feed: Feed, isBuilt: boolean): Promise<boolean> {
    if (feed.foreign) {
      if (feed.state === 'live' && isBuilt) return false;
      throw new IndexUnavailable(
        'the search index was told of another PostgreSQL cluster, or of a future that a restore has undone',
        'Build it anew: fraiseql-observers search reindex',
      );
    }
    await this.again(feed);
    if (!this.isRead(feed)) return this.page(feed);
    if (feed.state === 'building' && feed.caughtUp) return this.takeOver(feed.generation);
    this.span = SPAN.least;
    if (!(await openWindow(this.pool, this.fence, feed.generation))) return false;
    const now = (await readFeeds(this.pool, this.fence)).find(({ generation }) => generation === feed.generation);
    return now === undefined ? false : this.page(now);
  }

  private isRead({ generation, target, fromXid, windowEnd }: Feed): boolean {
    return target === null || (fromXid > 0 && fromXid >= windowEnd) || this.read.get(generation) === target;
  }

  private async page(feed: Feed): Promise<boolean> {
    const found = await pooledTransaction(this.pool, BY_INDEX, (client) => this.look(client, feed));
    if (found.numbers.length > 0) await this.write(feed, found);
    else if (found.place.fromXid >= feed.windowEnd) this.read.set(feed.generation, feed.target ?? '');
    else await saveFeedStep(this.pool, this.fence, { generation: feed.generation, place: found.place, rejected: [], settled: [] });
    return found.place.fromXid < feed.windowEnd;
  }

  /** The next changes of the window, or the place behind those transactions that told nothing. */
  private async look(client: ClientBase, feed: Feed): Promise<Found> {
    let place: Place = feed;
    for (let looks = 1; ; looks++) {
      const { fromXid: from, after } = place;
      const to = place.toXid ?? Math.min(from + this.span, feed.windowEnd);
      const transactions = from === 0 ? { underWayIn: feed.previous } : { from, to };
      const numbers = await touchedChanges(client, feed.target ?? '', transactions, after, this.batch);
      const isDone = numbers.length < this.batch;
      if (!isDone && from > 0 && after === 0 && to - from > SPAN.least) {
        // Each page of a range looks at all of it.
        this.span = Math.max(SPAN.least, Math.floor((to - from) / 8));
        continue;
      }
      place = isDone
        ? { fromXid: from === 0 ? feed.windowBegin : to, toXid: null, after: 0 }
        : { fromXid: from, toXid: from === 0 ? null : to, after: numbers.at(-1) ?? after };
      if (isDone) this.span = Math.min(SPAN.most, this.span * 2);
      if (numbers.length > 0 || place.fromXid >= feed.windowEnd || looks >= LOOKS)
        return { place, numbers, recorded: numbers.length === 0 ? NOTHING : await readRecorded(client, numbers, this.oldest(feed)) };
    }
  }

  private async write(feed: Feed, { place, numbers, recorded }: Found): Promise<void> {
    const { generation } = feed;
    const { cluster, server } = this.opened as NonNullable<typeof this.opened>;
    const rejected: Rejected[] = [];
    for await (const documents of documentsOf(recorded, server.name, generation)) {
      await server.prepare(documents.map(({ index }) => index), feed.state === 'live'); // prettier-ignore
      rejected.push(...(await tell(cluster, documents)));
    }
    this.isHeavy = charactersOf(recorded) > MOST_READ;
    const lost = new Set(rejected.map(({ change }) => change));
    for (const { change, reason } of rejected)
      this.term.logger.warn({ change, reason }, 'the search index refuses a document; it is parked (search parked)');
    await saveFeedStep(this.pool, this.fence, { generation, place, rejected, settled: numbers.filter((change) => !lost.has(change)) });
  }

  /** What was parked, and a person wants tried again. */
  private async again(feed: Feed): Promise<void> {
    const found = await pooledTransaction(this.pool, SNAPSHOT, async (client) => {
      const numbers = await askedAgain(client, this.fence, feed.generation, BATCH.most);
      return numbers.length === 0 ? null : { place: feed, numbers, recorded: await readRecorded(client, numbers, this.oldest(feed)) };
    });
    if (found !== null) await this.write(feed, found);
  }

  private async takeOver(generation: number): Promise<boolean> {
    const { server } = this.opened as NonNullable<typeof this.opened>;
    await server.show(generation);
    if (!(await makeLive(this.pool, this.fence, generation))) return false;
    this.term.logger.info({ generation }, 'the search index was built anew, and is the one that is searched');
    this.tidiedAt = -Infinity;
    return true;
  }

  private async tidy(server: IndexServer, feeds: readonly Feed[]): Promise<void> {
    const now = this.term.clock.monotonic();
    if (now - this.tidiedAt < TIDY_EVERY || feeds.length === 0) return;
    const oldestDay = new Date(this.term.clock.now() - this.settings.searchRetention - DAY).toISOString().slice(0, 10).replaceAll('-', '.');
    const removed = await server.tidy(feeds.map(({ generation }) => generation), oldestDay); // prettier-ignore
    if (removed.length > 0) this.term.logger.info({ removed }, 'search indices that are old, or no longer used, were removed');
    this.tidiedAt = now;
  }

  /** RFC 3339: what was written before is not told. */
  private oldest({ since }: Feed): string {
    const kept = this.term.clock.now() - this.settings.searchRetention;
    return new Date(since === null ? kept : Math.max(kept, Date.parse(since))).toISOString();
  }
}

function charactersOf({ changes }: Recorded): number {
  return changes.reduce((sum, { data, before, errors, notes }) => {
    return sum + [data, before, errors, notes].reduce((of, text) => of + (text?.length ?? 0), 0);
  }, 0);
}
