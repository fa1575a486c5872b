import type { Cursor } from '../checkpoint/cursor';
import type { Pauses } from '../delivery/pauses';
import type { DeliveryKey } from '../delivery/records';
import type { ErrorKind } from '../event/outcome';
import type { TermContext } from '../event/term-context';
import type { Arrangement } from './arrangement';

/** Whose queue it is, and who asks. */
export type Claimant = Pick<TermContext, 'stream' | 'epoch' | 'holder'>;

/** A delivery that this process has just claimed. */
export interface ClaimedDelivery {
  readonly changeNumber: number;
  readonly observer: string;
  readonly action: string;
  readonly endpoint: string;
  readonly lane: string;
  readonly party: string;
  /** What it was before the claim. */
  readonly was: 'queued' | 'retrying';
  readonly attempt: number;
  /** How often in a row the receiver has asked for a later time. */
  readonly appointments: number;
  /** Milliseconds since its first try began, or since it was claimed for the first time. */
  readonly elapsed: number;
  readonly redrive: boolean;
  /** What its dead letter says, when a person asked for this redrive. */
  readonly diedOf: ErrorKind | null;
  /** The configuration to deliver by; null: the one that runs. */
  readonly configVersion: number | null;
  /** How many changes it stands for; null where its observer does not debounce. */
  readonly collapsed: number | null;
}

/** How many more deliveries an endpoint can take. */
export interface FreePlaces {
  readonly endpoint: string;
  readonly free: number;
  /** It gets no more than so many, retries included. */
  readonly most?: number;
}

/** What a new leader finds. */
export interface Inherited {
  /** Endpoints of which deliveries are queued. */
  readonly backlogged: readonly string[];
  /** Lanes of strict observers of which something is there. */
  readonly blocked: readonly string[];
  readonly pauses: Pauses;
}

/**
 * Deliveries that wait for their turn or for their next try. The ledger puts them in, with the outcome or the checkpoint that makes them
 * wait; here they are handed out again. test/conformance/job-queue.test.ts says what every driver keeps.
 */
export abstract class JobQueue {
  /**
   * For a new leader: takes back what earlier ones had under way, and arranges it as the configuration says.
   *
   * @param checkpoint from where the reader goes on: what lies beyond it and was never tried is found again, in its turn
   * @throws what the database failed with, and when another instance leads by now; then nothing has changed
   */
  abstract takeOver(term: Claimant, checkpoint: Cursor, arrangement: Arrangement): Promise<Inherited>;

  /**
   * Claims what is due: of each endpoint as many queued ones as it has places, of its parties in turn, of one party and of one lane in the
   * order of their changes; and retries for a quarter of the places besides, so that neither starves the other. Of both together no more than
   * `most`, where an endpoint says so. What is more than there are places waits at its gate. Nothing is claimed by who no longer leads.
   *
   * @param lease milliseconds after which a claim that nobody holds is anybody's
   * @throws when it is not known whether something was claimed, too: see isRefusal
   */
  abstract claim(term: Claimant, places: readonly FreePlaces[], lease: number): Promise<ClaimedDelivery[]>;

  /** Whether something that waits for its time is due. @returns the database's time, up to which it is; null: nothing is */
  abstract due(stream: string): Promise<string | null>;

  /**
   * Queues what was due at a time that `due` gave. The reader must have passed all that was committed by then: it may cancel or replace what waits.
   * Nothing is released by who no longer leads.
   *
   * @param paused observers whose deliveries wait on
   * @returns endpoints of which something is queued now
   */
  abstract release(term: Claimant, until: string, paused: readonly string[]): Promise<string[]>;

  /** Frees claims whose lease ran out, but for those that are held in memory. @returns how many */
  abstract sweep(stream: string, held: readonly DeliveryKey[]): Promise<number>;

  /**
   * Puts deliveries of endpoints that nobody knows under `endpoint`, where they are claimed and judged by name; those of a branch whose
   * endpoint is known under that.
   *
   * @returns where some are queued now
   */
  abstract adopt(stream: string, known: readonly string[], endpoint: string): Promise<string[]>;

  /** Those of these endpoints of which nothing is queued. */
  abstract drained(stream: string, endpoints: readonly string[]): Promise<string[]>;
}
