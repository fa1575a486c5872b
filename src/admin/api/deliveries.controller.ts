import { Controller, Get, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import { z } from 'zod';
import { RunningConfiguration } from '../../config/running-configuration';
import { ServiceConfiguration } from '../../config/service-configuration';
import { Deliveries } from '../../status/deliveries.service';
import { boundsOf } from '../http/access';
import { Take } from '../http/take.pipe';
import type { DELIVERIES } from '../schema/deliveries';
import { momentOf, page, placeOf } from './cursor';
import { OPERATIONS } from './operations';

const { deliveries: LIST } = OPERATIONS;

const BEHIND = z.strictObject({ changeNumber: z.int().min(0), observer: z.string(), action: z.string() });

/** What has become of deliveries. */
@Controller('deliveries')
export class DeliveriesController {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly running: RunningConfiguration,
    private readonly found: Deliveries,
  ) {}

  @Get()
  async deliveries(
    @Query(new Take(LIST.query, 'query')) query: z.output<typeof LIST.query>,
    @Req() request: Request,
  ): Promise<z.output<typeof DELIVERIES>> {
    const {
      observer = null,
      action = null,
      endpoint = null,
      entity_type: entityType = null,
      entity_key: entityKey = null,
      state,
      limit,
    } = query;
    const states = state === undefined ? null : [state];
    const filter = {
      observer,
      action,
      endpoint,
      entityType,
      entityKey,
      states,
      since: momentOf(query.since),
      until: momentOf(query.until),
    };
    const { stream } = this.configuration.settings;
    const behind = placeOf(query.cursor, BEHIND);
    const { definition } = await this.running.of(stream);
    const found = await this.found.list(stream, filter, boundsOf(request), { behind, limit: limit + 1 }, definition.observers);
    const { items, next } = page(found, limit, ({ changeNumber, observer, action }) => ({ changeNumber, observer, action }));
    return { items: [...items], next };
  }
}
