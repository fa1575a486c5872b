import { QUARANTINE_REASONS } from '../event/entity-event';
import { ERROR_KINDS } from '../resilience/error-kinds';

/** What an item of the dead letter queue may have died of: deliveries, and changes in quarantine. */
export const ITEM_ERRORS: readonly string[] = [...Object.keys(ERROR_KINDS), ...QUARANTINE_REASONS];
