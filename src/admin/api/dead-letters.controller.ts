import { Body, Controller, Delete, Get, Header, HttpCode, HttpStatus, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { allows, isBound } from '../../event/bounds';
import { jsonText } from '../../event/json-text';
import { StoredEvents } from '../../explain/stored-events.service';
import { DeadLetterSets, EndpointsHeld } from '../../redrive/dead-letter-sets.service';
import { DeadLetters, type DeadLetterDetails, type DeadLetterFilter } from '../../redrive/dead-letters.service';
import { askedBy, boundsOf } from '../http/access';
import { stopsAfter } from '../http/heavy-questions';
import { KnownFilters } from '../http/known-filters';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type {
  DISCARD_ALL_RESULT,
  DISCARD_PREVIEW,
  DISCARD_RESULT,
  DLQ,
  RESTORED,
  RETRY_ALL_RESULT,
  RETRY_OPEN,
  RETRY_RESULT,
  SET_PREVIEW,
  STATS,
  TAKEN_BACK,
} from '../schema/dead-letters';
import { momentOf, page, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { deadLetters, deadLetterStats, deadLetter, retryDeadLetter: RETRY, retryAll: RETRY_ALL, discardDeadLetter: DISCARD } = OPERATIONS;
const { cancelRetries: CANCEL, restoreDeadLetters: RESTORE, discardAll: DISCARD_ALL } = OPERATIONS;

const HELD = 'When it works again: POST /circuit-breakers/{name}/reset. To ask for them all the same: "despite_breaker": true.';

/** For which one request goes on (ms): whoever asked waits for it. The same token goes on with the rest. */
const LONGEST = 20_000;

const BEHIND = z.strictObject({ diedAt: z.iso.datetime({ offset: true }), id: z.guid() });

/** What could not be delivered, and what becomes of it. */
@Controller('dlq')
export class DeadLettersController {
  constructor(
    private readonly letters: DeadLetters,
    private readonly sets: DeadLetterSets,
    private readonly stored: StoredEvents,
    private readonly known: KnownFilters,
  ) {}

  @Get()
  async deadLetters(
    @Query(new Take(deadLetters.query, 'query')) query: z.output<typeof deadLetters.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof DLQ>> {
    const { limit, cursor } = query;
    const found = await this.letters.page(filterOf(query), placeOf(cursor, BEHIND), limit + 1, boundsOf(request));
    if (found.length === 0) await this.known.require('query', filterOf(query), boundsOf(request));
    const { items, next } = page(found, limit, ({ diedAt, id }) => ({ diedAt, id }));
    return { items: [...items], next };
  }

  @Get('stats')
  async deadLetterStats(
    @Query(new Take(deadLetterStats.query, 'query')) query: z.output<typeof deadLetterStats.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof STATS>> {
    const columns = query.by === 'both' ? (['observer', 'error'] as const) : [query.by];
    const { groups, ...all } = await this.letters.count(filterOf(query), columns, boundsOf(request));
    if (all.count === 0) await this.known.require('query', filterOf(query), boundsOf(request));
    return { ...all, groups: [...groups] };
  }

  /** Text, for the numbers of the row keep all their digits. */
  @Get(':id')
  @Header('content-type', 'application/json; charset=utf-8')
  async deadLetter(
    @Param(new Take(deadLetter.path, 'path')) { id }: z.output<typeof deadLetter.path>,
    @Req() request: Request,
  ): Promise<string> {
    const item = await this.letters.show(id);
    if (item === null || !(await this.mayTouch(item, request))) throw unknownItem(id);
    return jsonText(item);
  }

  @Post('retry-all')
  async retryAll(
    @Body(new Take(RETRY_ALL.body, 'body')) body: z.output<typeof RETRY_ALL.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof SET_PREVIEW> | z.output<typeof RETRY_ALL_RESULT>> {
    response.status('token' in body ? HttpStatus.ACCEPTED : HttpStatus.OK);
    if (!('token' in body)) {
      const shown = await this.sets.preview('retry', filterOf(body));
      if (shown.count === 0) await this.known.require('body', filterOf(body), boundsOf(request));
      return { ...shown, sample: [...shown.sample], held: [...shown.held] };
    }
    const { token, config_version: configVersion, despite_breaker: despiteBreaker } = body;
    const stopped = stopsAfter(LONGEST, response);
    try {
      return { configVersion, ...(await this.sets.retryAll(token, configVersion, askedBy(request), { despiteBreaker, stopped })) };
    } catch (error) {
      if (error instanceof EndpointsHeld) throw new ApiProblem('conflict', error.message, { remedy: HELD });
      throw error;
    }
  }

  @Post('discard')
  async discardAll(
    @Body(new Take(DISCARD_ALL.body, 'body')) body: z.output<typeof DISCARD_ALL.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof DISCARD_PREVIEW> | z.output<typeof DISCARD_ALL_RESULT>> {
    response.status('token' in body ? HttpStatus.ACCEPTED : HttpStatus.OK);
    if ('token' in body) return this.sets.discardAll(body.token, body.reason ?? null, askedBy(request), stopsAfter(LONGEST, response));
    const { count, sample, token } = await this.sets.preview('remove', filterOf(body));
    return { count, sample: [...sample], token };
  }

  /** A retry that waits is taken back; one that runs ends. */
  @Post('cancel')
  @HttpCode(HttpStatus.OK)
  async cancelRetries(
    @Body(new Take(CANCEL.body, 'body')) body: z.output<typeof CANCEL.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof TAKEN_BACK>> {
    const [reason, who] = [body.reason ?? null, askedBy(request)];
    const { left, unknown, ...counts } = await this.sets.takeBack(body, reason, who);
    return { ...counts, left: [...left], unknown: [...unknown] };
  }

  @Post('restore')
  @HttpCode(HttpStatus.OK)
  async restoreDeadLetters(
    @Body(new Take(RESTORE.body, 'body')) body: z.output<typeof RESTORE.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof RESTORED>> {
    const [reason, who] = [body.reason ?? null, askedBy(request)];
    const { left, ...counts } = await this.sets.restore(body, reason, who);
    return { ...counts, left: [...left] };
  }

  @Post(':id/retry')
  async retryDeadLetter(
    @Param(new Take(RETRY.path, 'path')) path: z.output<typeof RETRY.path>,
    @Body(new Take(RETRY.body, 'body')) { config_version: config, wait }: z.output<typeof RETRY.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof RETRY_RESULT> | z.output<typeof RETRY_OPEN>> {
    const id = path.id.toLowerCase();
    await this.requireOwn(id, request);
    const made = await this.letters.retry(id, config, askedBy(request));
    if (made === 'unknown') throw unknownItem(id);
    const begun = { id, request: made, configVersion: config };
    response.status(HttpStatus.OK);
    if (made === 'resolved') return { ...begun, state: 'resolved before', result: null };
    const end = await this.letters.endOf(id, wait * 1_000, () => response.destroyed);
    if (end.is === 'delivered' || end.is === 'failed') {
      const delivered = end.is === 'delivered';
      return { ...begun, state: delivered ? 'delivered' : 'failed again', result: { delivered, message: end.message } };
    }
    response.status(HttpStatus.ACCEPTED);
    return { ...begun, state: end.is === 'not led' ? 'waits for a service that leads' : end.is === 'held' ? 'waits for its endpoint' : end.is, result: null }; // prettier-ignore
  }

  @Delete(':id')
  async discardDeadLetter(
    @Param(new Take(DISCARD.path, 'path')) path: z.output<typeof DISCARD.path>,
    @Body(new Take(DISCARD.body, 'body')) { reason }: z.output<typeof DISCARD.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof DISCARD_RESULT>> {
    const id = path.id.toLowerCase();
    await this.requireOwn(id, request);
    const result = await this.letters.discard(id, reason ?? null, askedBy(request));
    if (result === 'unknown') throw unknownItem(id);
    if (result === 'being tried')
      throw new ApiProblem('conflict', `${id} is being tried at the moment`, { remedy: 'Try again when that is over.' });
    if (result === 'asked for')
      throw new ApiProblem('conflict', `one more try of ${id} was asked for, and waits`, { remedy: 'To take that back: POST /dlq/cancel' });
    return { id, result };
  }

  /** For a bound token there is nothing outside its bounds. */
  private async requireOwn(id: string, request: Request): Promise<void> {
    if (!isBound(boundsOf(request))) return;
    const item = await this.letters.show(id);
    if (item !== null && !(await this.mayTouch(item, request))) throw unknownItem(id);
  }

  private async mayTouch({ observer, changeNumber }: DeadLetterDetails, request: Request): Promise<boolean> {
    const { observers, tenants } = boundsOf(request);
    return allows(observers, observer) && (await this.stored.isOf(changeNumber, tenants));
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

function unknownItem(id: string): ApiProblem {
  return new ApiProblem('not-found', `there is no item ${id} in the dead letter queue`, { remedy: 'What there is: GET /dlq' });
}
