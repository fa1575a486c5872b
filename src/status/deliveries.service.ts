import { Injectable } from '@nestjs/common';
import { Database } from '../database/database';
import type { Bounds } from '../event/bounds';
import type { ObserverDefinition } from '../event/definitions';
import { deliveryId } from '../event/delivery';
import { endpointNameOf } from '../event/endpoint-name';
import { listDeliveries, type DeliveryFilter, type DeliveryPlace, type ListedDelivery } from './deliveries.sql';

export { DELIVERY_STATES, type DeliveryPlace, type ListedDelivery, type ListedState } from './deliveries.sql';

/** What narrows the list down; null does not. */
export interface DeliveryQuery extends Omit<DeliveryFilter, 'endpoint'> {
  readonly endpoint: string | null;
}

/** A delivery of the list with its id; null when its change is stored no longer. */
export interface FoundDelivery extends ListedDelivery {
  readonly id: string | null;
}

/** What has become of deliveries, whichever table that is on record in. */
@Injectable()
export class Deliveries {
  constructor(private readonly database: Database) {}

  /** The newest changes first. @param configured the observers that say to which endpoint an action goes, which a try does not */
  async list(
    stream: string,
    { endpoint, ...query }: DeliveryQuery,
    bounds: Bounds,
    page: { readonly behind: DeliveryPlace | null; readonly limit: number },
    configured: readonly ObserverDefinition[],
  ): Promise<FoundDelivery[]> {
    const actions = configured.flatMap(({ name, actions: own }) =>
      own.map((action) => ({ observer: name, action: action.name, endpoint: endpointNameOf(action) })),
    );
    const filter = {
      ...query,
      endpoint: endpoint === null ? null : { name: endpoint, usedBy: actions.filter((one) => one.endpoint === endpoint) },
    };
    const found = await this.database.use((client) => listDeliveries(client, stream, filter, bounds, page));
    const goesTo = (one: DeliveryPlace): string | null =>
      actions.find(({ observer, action }) => observer === one.observer && action === one.action)?.endpoint ?? null;
    return found.map((one) => ({
      ...one,
      id: one.event === null ? null : deliveryId(one.event, one.observer, one.action),
      endpoint: one.endpoint ?? goesTo(one),
    }));
  }
}
