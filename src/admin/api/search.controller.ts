import { Controller, Get, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import { z } from 'zod';
import { AuditTrail, type SearchFilter } from '../../search/audit-trail';
import { boundsOf } from '../http/access';
import { KnownFilters } from '../http/known-filters';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { FOUND } from '../schema/events';
import { cursorOf, momentOf, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { search: SEARCH } = OPERATIONS;
type SearchQuery = z.output<typeof SEARCH.query>;

/** Within what a statement of the API may take, in milliseconds. */
const TIMEOUT = 4_000;
const BEHIND = z.strictObject({ behind: z.int().min(0) });

/** Events by words. */
@Controller('search')
export class SearchController {
  constructor(
    private readonly trail: AuditTrail,
    private readonly known: KnownFilters,
  ) {}

  @Get()
  async search(@Query(new Take(SEARCH.query, 'query')) query: SearchQuery, @Req() request: Request): Promise<z.output<typeof FOUND>> {
    const bounds = boundsOf(request);
    const filter = filterOf(query, bounds.tenants);
    const words = wordsOf(query);
    const { limit, sort: order, count_by: by } = query;
    const behind = placeOf(query.cursor, BEHIND)?.behind ?? null;
    const names = { entityType: filter.entityType, observer: query.observer ?? null, action: query.action ?? null };
    if (by !== undefined) {
      const { counts, ended } = await this.trail.count({ words, filter, timeout: TIMEOUT, by });
      if (counts.length === 0) await this.known.require('query', names, bounds);
      return { found: [], ended, looked: 0, reached: null, next: null, counts: [...counts] };
    }
    const { found, ...ended } = await this.trail.search({ words, filter, limit, timeout: TIMEOUT, order, behind });
    if (found.length === 0) await this.known.require('query', names, bounds);
    const last = ended.ended === 'limit' ? found.at(-1)?.change : ended.ended === 'time' ? (ended.reached?.change ?? behind) : null;
    const next = last == null ? null : cursorOf({ behind: last });
    return { ...ended, found: found.map((one) => ({ ...one, foundIn: [...one.foundIn] })), next, counts: null };
  }
}

/** @throws ApiProblem when there is nothing to search by */
function wordsOf(query: SearchQuery): string[] {
  const { q } = query;
  const words = [...(q ?? '').matchAll(/"([^"]+)"|(\S+)/g)]
    .map(([, quoted, plain]) => (quoted ?? plain ?? '').trim())
    .filter((word) => word !== '');
  const narrows = Object.keys(query).some((name) => !['q', 'cursor', 'limit', 'sort'].includes(name));
  if (words.length > 0 || (q === undefined && narrows)) return words;
  throw new ApiProblem('invalid-request', 'there is no word to search for', { violations: [{ at: 'query.q', message: 'it is blank' }] });
}

function filterOf(query: SearchQuery, bound: readonly string[] | null): SearchFilter {
  const { entity_type: entityType = null, entity_key: entityKey = null, kind = null, tenant } = query;
  const { observer = null, action = null, outcome = null, error = null } = query;
  const tenants = tenant === undefined ? bound : bound === null || bound.includes(tenant) ? [tenant] : [];
  const tried = { observer, action, outcome, error };
  return { entityType, entityKey, kind, since: momentOf(query.since), until: momentOf(query.until), tenants, tried };
}
