import type { OnModuleDestroy } from '@nestjs/common';
import type { Settings } from '../../config/settings';
import { clusterOf } from '../../connections/elasticsearch/connection';
import type { Cluster } from '../../connections/elasticsearch/cluster';
import type { Clock } from '../../event/clock';
import type { CountRequest, CountResult, SearchRequest, SearchResult } from '../audit-trail';
import { BEFORE_ALL, inOrder, PagedAuditTrail, type PageRequest, type SearchPage } from '../paged-audit-trail';
import { isNowhere } from '../words';
import { foundOf, type StoredEvent } from './found';
import { unavailable } from './index-server';
import { clausesOf, clausesOfTries, queryOf } from './query';

/** Values of one kind that are counted; there are no more observers, and 416 days have so many hours. */
const MOST_VALUES = 10_000;
const SHOWN = ['change', 'event', 'entity_type', 'entity_key', 'kind', 'written', 'data', 'before', 'errors', 'notes'];

interface Hits {
  readonly hits?: { readonly hits?: readonly { readonly _source: StoredEvent }[] };
}

interface Buckets {
  readonly aggregations?: { readonly tries: { readonly those: { readonly values: { readonly buckets: readonly Bucket[] } } } };
}

interface Bucket {
  readonly key: string;
  readonly doc_count: number;
}

/** Asks the index that the leader feeds: it knows what was told so far, and what PostgreSQL keeps no longer. */
export class ElasticsearchAuditTrail extends PagedAuditTrail implements OnModuleDestroy {
  private opened: Promise<Cluster> | null = null;

  constructor(
    private readonly settings: Settings,
    clock: Clock,
  ) {
    super(clock);
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const result = await this.look(request, (page, milliseconds) => this.page(page, Math.min(page.rows, request.limit + 1), milliseconds));
    if (result.ended !== 'end' || result.found.length > 0) return result;
    return { ...result, looked: await this.known(request) };
  }

  async count({ words, filter, timeout, by }: CountRequest): Promise<CountResult> {
    if (words.some(isNowhere) || timeout < 1) return { counts: [], ended: timeout < 1 ? 'time' : 'end' };
    const query = queryOf({ words, filter, order: 'newest', behind: BEFORE_ALL.newest, rows: 0 });
    const values = { terms: { field: `tries.${by}`, size: MOST_VALUES } };
    const those = { filter: { bool: { filter: clausesOfTries(filter) } }, aggs: { values } };
    const body = await this.ask({ size: 0, query, aggs: { tries: { nested: { path: 'tries' }, aggs: { those } } } }, timeout);
    if (body === null) return { counts: [], ended: 'time' };
    const buckets = (body as Buckets).aggregations?.tries.those.values.buckets ?? [];
    return { counts: inOrder(new Map(buckets.map(({ key, doc_count: count }) => [key, count])), by), ended: 'end' };
  }

  /** With the process. */
  async onModuleDestroy(): Promise<void> {
    const { opened } = this;
    this.opened = null;
    await (await opened)?.close();
  }

  private async page(request: PageRequest, rows: number, milliseconds: number): Promise<SearchPage | null> {
    const order = request.order === 'newest' ? 'desc' : 'asc';
    const body = await this.ask(
      { size: rows, query: queryOf(request), sort: [{ change: order }], _source: SHOWN, track_total_hits: false },
      milliseconds,
    );
    if (body === null) return null;
    const stored = ((body as Hits).hits?.hits ?? []).map(({ _source }) => _source);
    const last = stored.at(-1);
    const reached = stored.length < rows || last === undefined ? null : { change: last.change, written: last.written };
    return { found: stored.map((one) => foundOf(one, request.words)), looked: stored.length, reached };
  }

  /** How many changes the filter leaves; the words are not among them. */
  private async known({ filter, timeout }: SearchRequest): Promise<number> {
    const body = await this.ask({ size: 0, query: { bool: { filter: clausesOf(filter) } }, track_total_hits: true }, timeout);
    return (body as { hits?: { total?: { value: number } } } | null)?.hits?.total?.value ?? 0;
  }

  /** @returns null when the time was up @throws IndexUnavailable */
  private async ask(body: object, milliseconds: number): Promise<unknown> {
    const timeout = Math.ceil(milliseconds);
    const cluster = await (this.opened ??= clusterOf(this.settings));
    // Before the first document there is no index, and nothing to be found.
    const querystring = 'ignore_unavailable=true&allow_no_indices=true';
    const answer = await cluster.ask({ method: 'POST', path: `/${this.settings.searchIndex}/_search`, querystring, body }, timeout);
    if (!('failure' in answer)) return answer.body;
    if (answer.failure.error === 'timeout') return null;
    throw unavailable(answer.failure);
  }
}
