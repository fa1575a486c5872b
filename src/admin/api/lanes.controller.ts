import { Body, Controller, Get, HttpCode, Post, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import { ServiceConfiguration } from '../../config/service-configuration';
import { HeldLanes, type LaneFilter } from '../../redrive/held-lanes.service';
import { askedBy, boundsOf } from '../http/access';
import { KnownFilters } from '../http/known-filters';
import { Take } from '../http/take.pipe';
import type { LANES, LANES_REPAIRED, LANES_RESUMED } from '../schema/lanes';
import { OPERATIONS } from './operations';

const { lanes: LIST, resumeLanes: RESUME, skipLanes: SKIP, deadLetterLanes: BURY } = OPERATIONS;

/** Lanes of strict observers that something holds up, and letting them go on. */
@Controller('lanes')
export class LanesController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly held: HeldLanes,
    private readonly known: KnownFilters,
  ) {}

  @Get()
  async lanes(
    @Query(new Take(LIST.query, 'query')) query: z.output<typeof LIST.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof LANES>> {
    const items = await this.held.list(this.stream, filterOf(query), query.limit, query.offset);
    if (items.length === 0) await this.known.require('query', filterOf(query), boundsOf(request));
    return { items, total: await this.held.count(this.stream, filterOf(query)) };
  }

  @Post('resume')
  @HttpCode(200)
  async resumeLanes(
    @Body(new Take(RESUME.body, 'body')) body: z.output<typeof RESUME.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof LANES_RESUMED>> {
    await this.known.require('body', filterOf(body), boundsOf(request));
    return this.held.resume(this.stream, filterOf(body), askedBy(request));
  }

  @Post('skip')
  @HttpCode(200)
  async skipLanes(
    @Body(new Take(SKIP.body, 'body')) body: z.output<typeof SKIP.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof LANES_REPAIRED>> {
    await this.known.require('body', filterOf(body), boundsOf(request));
    return this.held.repair(this.stream, filterOf(body), 'skip', askedBy(request));
  }

  @Post('dead-letter')
  @HttpCode(200)
  async deadLetterLanes(
    @Body(new Take(BURY.body, 'body')) body: z.output<typeof BURY.body>,
    @Req() request: Request,
  ): Promise<z.output<typeof LANES_REPAIRED>> {
    await this.known.require('body', filterOf(body), boundsOf(request));
    return this.held.repair(this.stream, filterOf(body), body.whole_lane ? 'dead-letter all' : 'dead-letter', askedBy(request));
  }

  private get stream(): string {
    return this.configuration.settings.stream;
  }
}

interface Named {
  /** Nothing narrows it down then. */
  readonly all?: true;
  readonly observer?: string | undefined;
  readonly action?: string | undefined;
  readonly entity_type?: string | undefined;
  readonly entity_key?: string | undefined;
}

function filterOf({ observer, action, entity_type: entityType, entity_key: entityKey }: Named): LaneFilter {
  return { observer: observer ?? null, action: action ?? null, entityType: entityType ?? null, entityKey: entityKey ?? null };
}
