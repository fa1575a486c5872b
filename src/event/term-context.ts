import type { Logger } from 'pino';
import type { Clock } from './clock';
import type { Mandate } from './mandate';

/** What everything is told that is opened for one term of leadership. */
export interface TermContext {
  readonly stream: string;
  /** The instance that leads. */
  readonly holder: string;
  /** That of the mandate: every write carries it. */
  readonly epoch: number;
  readonly mandate: Mandate;
  readonly clock: Clock;
  readonly logger: Logger;
}
