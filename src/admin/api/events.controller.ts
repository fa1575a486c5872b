import { Body, Controller, Get, Header, HttpStatus, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { RunningConfiguration } from '../../config/running-configuration';
import { ServiceConfiguration } from '../../config/service-configuration';
import { allows, isBound, type Bounds } from '../../event/bounds';
import { jsonText } from '../../event/json-text';
import type { EventExplanation } from '../../explain/explain';
import { explanationJson } from '../../explain/explanation-json';
import { Explanations } from '../../explain/explanations.service';
import { StoredEvents } from '../../explain/stored-events.service';
import { Replays, type QueuedReplay, type ReplayPreview } from '../../redrive/replays.service';
import { askedBy, boundsOf } from '../http/access';
import { KnownFilters } from '../http/known-filters';
import { ApiProblem } from '../http/problem';
import { Take } from '../http/take.pipe';
import type { EVENTS, REPLAYED, REPLAY_PREVIEW } from '../schema/events';
import { page, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { events: EVENTS_OF, event: EVENT, replayEvent: REPLAY } = OPERATIONS;

const BEHIND = z.strictObject({ change: z.int().min(0) });

/** What has happened, and why it had the consequences that it had. */
@Controller('events')
export class EventsController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly running: RunningConfiguration,
    private readonly stored: StoredEvents,
    private readonly explanations: Explanations,
    private readonly replays: Replays,
    private readonly known: KnownFilters,
  ) {}

  @Get()
  async events(
    @Query(new Take(EVENTS_OF.query, 'query')) query: z.output<typeof EVENTS_OF.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof EVENTS>> {
    const { entity_type: entityType = null, entity_key: entityKey = null, kind = null, limit, cursor } = query;
    const behind = placeOf(cursor, BEHIND)?.change ?? null;
    const { tenants } = boundsOf(request);
    const filter = { entityType, entityKey, kind };
    const found = await this.stored.list(this.configuration.settings.stream, filter, behind, limit + 1, tenants);
    if (found.length === 0) await this.known.require('query', { entityType }, boundsOf(request));
    const { items, next } = page(found, limit, ({ changeNumber }) => ({ change: changeNumber }));
    return { items: [...items], next };
  }

  /** Text, for the numbers of a row keep all their digits. */
  @Get(':id')
  @Header('content-type', 'application/json; charset=utf-8')
  async event(
    @Param(new Take(EVENT.path, 'path')) { id }: z.output<typeof EVENT.path>,
    @Query(new Take(EVENT.query, 'query')) { current }: z.output<typeof EVENT.query>,
    @Req() request: Request,
  ): Promise<string> {
    const { loaded, settings } = this.configuration;
    const { stream, retention, maxEventSize } = settings;
    const [explained] = await this.explanations.of([await this.changeOf(id, boundsOf(request))], {
      stream,
      retention,
      maxEventSize,
      current: current === 'true',
      definitionOf: loaded.definitionOf,
    });
    const seen = explained === undefined ? null : asSeenBy(explained, boundsOf(request));
    if (seen === null) throw unknownEvent(id);
    return jsonText(explanationJson(seen));
  }

  @Post(':id/replay')
  async replayEvent(
    @Param(new Take(REPLAY.path, 'path')) { id }: z.output<typeof REPLAY.path>,
    @Body(new Take(REPLAY.body, 'body')) body: z.output<typeof REPLAY.body>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.output<typeof REPLAY_PREVIEW> | z.output<typeof REPLAYED>> {
    const bounds = boundsOf(request);
    const change = await this.changeOf(id, bounds);
    requireWithin(body, bounds);
    const preview = 'token' in body ? null : await this.previewOf(change, body);
    response.status(HttpStatus.OK);
    if (preview !== null && !('token' in body) && body.dry_run) return { dryRun: true, ...preview };
    response.status(HttpStatus.ACCEPTED);
    const token = 'token' in body ? body.token : (preview?.token ?? null);
    if (token === null) return { dryRun: false, queued: [], alreadyUnderWay: 0 };
    return { dryRun: false, ...(await this.send(token, change, askedBy(request))) };
  }

  private async previewOf(
    change: number,
    { observers, actions, only_missing: onlyMissing }: Extract<z.output<typeof REPLAY.body>, { observers: string[] }>,
  ): Promise<ReplayPreview> {
    const { stream, maxEventSize, retention } = this.configuration.settings;
    const running = await this.running.of(stream);
    const range = { entityType: null, entityKey: null, after: null, before: null, fromChange: change, toChange: change, events: null };
    const { hash: config } = running;
    return this.replays.preview({
      stream,
      range,
      observers,
      actions: actions ?? null,
      config,
      known: running.observers(),
      maxEventSize,
      retention,
      onlyMissing,
    });
  }

  private async send(token: string, change: number, who: string): Promise<QueuedReplay> {
    const { stream, maxEventSize } = this.configuration.settings;
    const running = await this.running.of(stream);
    const shown = await this.replays.shown(token, { stream, config: running.hash });
    if (shown.range.fromChange !== change || shown.range.toChange !== change)
      throw new ApiProblem('invalid-token', 'this token is for another event', { remedy: 'Make the dry run of this event.' });
    return this.replays.sendAll(shown, { known: running.observers(), maxEventSize }, who);
  }

  private async changeOf(id: string, { tenants }: Bounds): Promise<number> {
    const change = /^\d+$/.test(id) ? Number(id) : await this.stored.find(id);
    if (change === null || !(await this.stored.isOf(change, tenants))) throw unknownEvent(id);
    return change;
  }
}

/** The part of an event that a token sees which is bound to observers: what they made of it. @returns null where it is no event of theirs */
function asSeenBy(explained: EventExplanation, { observers: bound }: Bounds): EventExplanation | null {
  if (bound === null) return explained;
  const observers = explained.observers.filter(({ name }) => bound.includes(name));
  const theirs = observers.some(({ verdict, deliveries }) => verdict === 'matched' || deliveries.length > 0);
  return theirs ? { ...explained, observers, notes: [] } : null;
}

/** A token of a dry run may be anybody's: a bound one sends what it names itself. */
function requireWithin(body: z.output<typeof REPLAY.body>, bounds: Bounds): void {
  if (!isBound(bounds)) return;
  if ('token' in body)
    throw new ApiProblem('forbidden', 'a token of the API that is bound sends without the token of a dry run', {
      remedy: 'Send {"observers": […], "dry_run": false}.',
    });
  const strange = body.observers.find((name) => !allows(bounds.observers, name));
  if (strange !== undefined)
    throw new ApiProblem('not-found', `there is no observer "${strange}"`, { remedy: 'What there is: GET /observers' });
}

function unknownEvent(id: string): ApiProblem {
  return new ApiProblem('not-found', `there is no event ${id} in the change log: it was never captured, or is older than what is kept`, {
    remedy: 'The last events: GET /events',
  });
}
