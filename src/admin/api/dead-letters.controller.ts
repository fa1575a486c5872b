import { Body, Controller, Delete, Get, HttpStatus, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { awaitRetry } from '../../redrive/await-retry';
import { usedConfiguration } from '../../redrive/config-choice';
import { countDeadLetters, pageOfDeadLetters, showDeadLetter, type DeadLetterDetails, type DeadLetterFilter } from '../../redrive/dead-letters.sql'; // prettier-ignore
import { discardItems, requestRetries } from '../../redrive/redrive.sql';
import { askedBy } from '../http/access';
import { Problem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { DISCARD_RESULT, DLQ, RETRY_ALL_RESULT, RETRY_OPEN, RETRY_RESULT, SET_PREVIEW, STATS } from '../schema/dead-letters';
import { ApiContext } from './api-context';
import { page, placeOf } from './cursor';
import { OPERATIONS } from './operations';
import { previewOfRetries, retrySet } from './retry-sets';

const { deadLetters, deadLetterStats, deadLetter, retryDeadLetter: RETRY, retryAll: RETRY_ALL, discardDeadLetter: DISCARD } = OPERATIONS;

const BEHIND = z.strictObject({ diedAt: z.iso.datetime({ offset: true }), id: z.guid() });

/** What could not be delivered, and what becomes of it. */
@Controller('dlq')
export class DeadLettersController {
  constructor(private readonly api: ApiContext) {}

  @Get()
  async deadLetters(@Query(new Take(deadLetters.query, 'query')) query: z.output<typeof deadLetters.query>): Promise<z.output<typeof DLQ>> {
    const { limit, cursor } = query;
    const found = await pageOfDeadLetters(this.api.pool, filterOf(query), placeOf(cursor, BEHIND), limit + 1);
    const { items, next } = page(found, limit, ({ diedAt, id }) => ({ diedAt, id }));
    return { items: [...items], next };
  }

  @Get('stats')
  async deadLetterStats(
    @Query(new Take(deadLetterStats.query, 'query')) query: z.output<typeof deadLetterStats.query>,
  ): Promise<z.output<typeof STATS>> {
    const filter = filterOf(query);
    const columns = query.by === 'both' ? (['observer', 'error'] as const) : [query.by];
    const groups = await countDeadLetters(this.api.pool, filter, columns);
    const { count = 0, oldest = null, newest = null } = (await countDeadLetters(this.api.pool, filter, []))[0] ?? {};
    return { count, oldest, newest, groups };
  }

  @Get(':id')
  async deadLetter(@Param(new Take(deadLetter.path, 'path')) { id }: z.output<typeof deadLetter.path>): Promise<DeadLetterDetails> {
    const item = await showDeadLetter(this.api.pool, id);
    if (item === null) throw unknownItem(id);
    return item;
  }

  @Post('retry-all')
  async retryAll(
    @Body(new Take(RETRY_ALL.body, 'body')) body: z.output<typeof RETRY_ALL.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof SET_PREVIEW> | z.output<typeof RETRY_ALL_RESULT>> {
    response.status('token' in body ? HttpStatus.ACCEPTED : HttpStatus.OK);
    if (!('token' in body)) return previewOfRetries(this.api, filterOf(body));
    return retrySet(this.api, body.token, body.config_version, askedBy(request), () => response.destroyed);
  }

  @Post(':id/retry')
  async retryDeadLetter(
    @Param(new Take(RETRY.path, 'path')) path: z.output<typeof RETRY.path>,
    @Body(new Take(RETRY.body, 'body')) { config_version: config, wait }: z.output<typeof RETRY.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof RETRY_RESULT> | z.output<typeof RETRY_OPEN>> {
    const id = path.id.toLowerCase();
    const asked = { ids: [id], who: askedBy(request), detail: usedConfiguration(config), config, snapshot: null };
    const { queued, left, unknown } = await this.api.onClient((client) => requestRetries(client, asked));
    if (unknown.length > 0) throw unknownItem(id);
    response.status(HttpStatus.OK);
    if (left.length > 0) return { id, request: 'resolved', configVersion: config, state: 'resolved before', result: null };
    const begun = { id, request: queued.length > 0 ? ('queued' as const) : ('already under way' as const), configVersion: config };
    const end = await awaitRetry(this.api.pool, id, wait * 1_000, () => response.destroyed);
    if (end.is === 'delivered' || end.is === 'failed') {
      const delivered = end.is === 'delivered';
      return { ...begun, state: delivered ? 'delivered' : 'failed again', result: { delivered, message: end.message } };
    }
    response.status(HttpStatus.ACCEPTED);
    return { ...begun, state: end.is === 'under way' ? 'under way' : 'waits for a service that leads', result: null };
  }

  @Delete(':id')
  async discardDeadLetter(
    @Param(new Take(DISCARD.path, 'path')) path: z.output<typeof DISCARD.path>,
    @Body(new Take(DISCARD.body, 'body')) { reason }: z.output<typeof DISCARD.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof DISCARD_RESULT>> {
    const id = path.id.toLowerCase();
    const asked = { ids: [id], who: askedBy(request), detail: reason ?? null, snapshot: null };
    const { queued, alreadyUnderWay, unknown } = await this.api.onClient((client) => discardItems(client, asked));
    if (unknown.length > 0) throw unknownItem(id);
    if (alreadyUnderWay.length > 0)
      throw new Problem('conflict', `${id} is being tried at the moment`, { remedy: 'Try again when that is over.' });
    return { id, result: queued.length > 0 ? 'discarded' : 'already resolved' };
  }
}

interface Filter {
  readonly observer?: string | undefined;
  readonly action?: string | undefined;
  readonly entity_type?: string | undefined;
  readonly entity_key?: string | undefined;
  readonly error?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

function filterOf(filter: Filter): DeadLetterFilter {
  return {
    observer: filter.observer ?? null,
    action: filter.action ?? null,
    entityType: filter.entity_type ?? null,
    entityKey: filter.entity_key ?? null,
    error: filter.error ?? null,
    endpoint: filter.endpoint ?? null,
    after: momentOf(filter.after),
    before: momentOf(filter.before),
  };
}

/** As PostgreSQL takes it: not every zone that RFC 3339 allows is one of its own. */
function momentOf(text: string | undefined): string | null {
  return text === undefined ? null : new Date(text).toISOString();
}

function unknownItem(id: string): Problem {
  return new Problem('not-found', `there is no item ${id} in the dead letter queue`, { remedy: 'What there is: GET /dlq' });
}
