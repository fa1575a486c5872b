import { Controller, Get, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { AuditTrail } from '../../search/audit-trail';
import { boundsOf } from '../http/access';
import { KnownFilters } from '../http/known-filters';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { FOUND } from '../schema/events';
import { OPERATIONS } from './operations';

const { search: SEARCH } = OPERATIONS;

/** Within what a statement of the API may take, in milliseconds. */
const TIMEOUT = 4_000;

/** Events by words. */
@Controller('search')
export class SearchController {
  constructor(
    private readonly trail: AuditTrail,
    private readonly known: KnownFilters,
  ) {}

  @Get()
  async search(
    @Query(new Take(SEARCH.query, 'query')) query: z.output<typeof SEARCH.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof FOUND>> {
    const { q, entity_type: entityType = null, entity_key: entityKey = null, kind = null, since = null, limit } = query;
    const words = q.split(/\s+/).filter((word) => word !== '');
    if (words.length === 0)
      throw new ApiProblem('invalid-request', 'there is no word to search for', {
        violations: [{ at: 'query.q', message: 'it is blank' }],
      });
    const filter = { entityType, entityKey, kind, since, tenants: boundsOf(request).tenants };
    const { found, ...ended } = await this.trail.search({ words, filter, limit, timeout: TIMEOUT });
    if (found.length === 0) await this.known.require('query', { entityType }, boundsOf(request));
    return { ...ended, found: found.map((one) => ({ ...one, foundIn: [...one.foundIn] })) };
  }
}
