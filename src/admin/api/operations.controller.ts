import { Controller, Get, Query } from '@nestjs/common';
import { z } from 'zod';
import { Operations } from '../../status/operations.service';
import { Take } from '../http/take.pipe';
import type { OPERATION_PAGE } from '../schema/status';
import { momentOf, page, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { operations: LIST } = OPERATIONS;

const BEHIND = z.strictObject({ number: z.int().min(0) });

/** Changes that people have made. */
@Controller('operations')
export class OperationsController {
  constructor(private readonly recorded: Operations) {}

  @Get()
  async operations(@Query(new Take(LIST.query, 'query')) query: z.output<typeof LIST.query>): Promise<z.output<typeof OPERATION_PAGE>> {
    const { who = null, what = null, limit, cursor } = query;
    const filter = { who, what, since: momentOf(query.since), until: momentOf(query.until) };
    const found = await this.recorded.list(filter, placeOf(cursor, BEHIND)?.number ?? null, limit + 1);
    const { items, next } = page(found, limit, ({ number }) => ({ number }));
    return { items: [...items], next };
  }
}
