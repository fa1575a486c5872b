import { laneOptions, type LaneName } from '../event/lane-command';
import { shellWord } from '../event/shell-word';
import type { DeliveryState } from './delivery-state';
import type { PendingFact, StreamFacts } from './facts.sql';

/** What a command is about. */
interface Helped extends LaneName {
  readonly deliveryId: string;
  /** Of the event. */
  readonly eventId: string;
  readonly pending: PendingFact | null;
}

/** An argument that cannot be taken for an option, in a shell. */
export function argument(flag: string, value: string): string {
  return `${flag}${/^(-|$)/.test(value) ? '=' : ' '}${shellWord(value)}`;
}

/** The one command that helps a delivery on, to be pasted behind the program's name; null where nothing need be done, or nothing would help. */
export function nextFor(state: DeliveryState, helped: Helped, stream: StreamFacts): string | null {
  const { deliveryId, eventId, observer, action, pending } = helped;
  switch (state) {
    case 'dead':
      return `dlq retry ${deliveryId}`;
    case 'quarantined':
      return `dlq retry ${eventId}`;
    case 'parked':
      return `lanes resume ${laneOptions(helped)}`;
    case 'waiting':
      return `lanes list ${laneOptions(helped)}`;
    case 'paused':
      return stream.paused.some((one) => one.observer === observer) ? `observers resume ${shellWord(observer)}` : null;
    case 'unaccounted':
      return `replay ${argument('--observer', observer)} ${argument('--action', action)} --event ${eventId} --dry-run`;
    case 'queued':
    case 'retrying':
      return pending === null ? null : nextForEndpoint(pending.endpoint, stream);
    default:
      return null;
  }
}

function nextForEndpoint(endpoint: string, { endpoints }: StreamFacts): string | null {
  if (endpoints === null) return 'start';
  const isOpen = endpoints.some(({ name, breaker }) => name === endpoint && breaker !== null);
  return isOpen ? `breakers reset ${shellWord(endpoint)}` : null;
}
