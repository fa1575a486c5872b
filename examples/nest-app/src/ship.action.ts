import { CustomAction, succeeded, type CustomActionHandler, type CustomActionRun } from 'fraiseql-observers';
import { Shipments } from './shipments';

/** `{ type: custom, handler: ship }` in the observers file. It has what the application's other providers have. */
@CustomAction('ship')
export class ShipAction implements CustomActionHandler {
  constructor(private readonly shipments: Shipments) {}

  prepare(): CustomActionRun {
    return async ({ id, event }) => {
      this.shipments.ship(id, event.entityKey ?? '');
      return succeeded();
    };
  }
}
