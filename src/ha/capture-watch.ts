import { pooledTransaction, SNAPSHOT } from '../database/transaction';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { CaptureDrift } from '../status/capture-drift';
import type { Clock } from '../event/clock';
import type { CaptureDefinition } from '../event/definitions';
import { messageOf } from '../event/errors';
import type { Mandate } from '../event/mandate';
import type { SideJob } from '../pipeline/side-job';
import { planCapture, type CapturePlan } from '../change-log/capture/capture';

const EVERY = 60_000;
/** Each heartbeat carries them: a tree of a thousand partitions may have a reason for each. */
const MOST_REASONS = 3;
const LONGEST_REASON = 300;
/** A catalogue function waits for whoever alters a table. The next look comes soon enough. */
const BRIEFLY = `${SNAPSHOT}; set local lock_timeout = '1s'; set local statement_timeout = '5s'`;

export interface CaptureWatchOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly captures: readonly CaptureDefinition[];
  /** Something is not as it was at the last look. */
  readonly onChange: () => void;
}

/**
 * Compares the triggers with the running configuration each minute, as long as this instance leads. What it has told is not told
 * again, neither by the next look nor in the next term.
 */
export class CaptureWatch {
  /** Null: not known. */
  drift: readonly CaptureDrift[] | null = null;
  private captures: readonly CaptureDefinition[];
  private told = new Map<string, CaptureDrift>();
  private failing = false;
  private last: Promise<void> = Promise.resolve();
  private lookNow: () => void = () => undefined;

  constructor(private readonly options: CaptureWatchOptions) {
    this.captures = options.captures;
  }

  /** Another configuration runs. */
  use(captures: readonly CaptureDefinition[]): void {
    this.captures = captures;
    this.lookNow();
  }

  /** A term has begun. */
  begin(mandate: Mandate): SideJob {
    this.drift = null;
    const term = { ended: false };
    const running = this.run(mandate, term);
    return {
      stop: () => {
        term.ended = true;
        this.lookNow();
        return running;
      },
    };
  }

  /** Looks once. Never rejects; two at the same time come one after the other. */
  look(): Promise<void> {
    this.last = this.last.then(() => this.lookOnce());
    return this.last;
  }

  private async run(mandate: Mandate, term: { readonly ended: boolean }): Promise<void> {
    while (!term.ended) {
      let wanted: () => void = () => undefined;
      const next = new Promise<void>((resolve) => (wanted = resolve));
      // From before the look: it may be under way with the configuration of before.
      this.lookNow = wanted;
      if (mandate.valid) await this.look();
      const timer = setTimeout(wanted, EVERY);
      await next;
      clearTimeout(timer);
    }
  }

  private async lookOnce(): Promise<void> {
    const { logger } = this.options;
    try {
      const plans = await this.plan();
      if (this.failing) logger.info('the captured tables are compared with the observers file again');
      this.failing = false;
      this.learn(plans.flatMap((plan) => this.driftOf(plan)));
    } catch (error) {
      if (!this.failing) {
        logger.warn(
          { err: messageOf(error) },
          'the captured tables cannot be compared with the observers file; it is tried again each minute',
        );
      }
      this.failing = true;
    }
  }

  /** In one snapshot: a `capture apply` that commits meanwhile is seen as a whole or not at all. */
  private plan(): Promise<CapturePlan[]> {
    return pooledTransaction(this.options.pool, BRIEFLY, (client) => planCapture(client, this.captures));
  }

  private driftOf({ table, entity, state, reasons }: CapturePlan): CaptureDrift[] {
    if (state === 'current') return [];
    const more = reasons.length - MOST_REASONS;
    const first = reasons
      .slice(0, MOST_REASONS)
      .map((reason) => (reason.length > LONGEST_REASON ? `${reason.slice(0, LONGEST_REASON)}…` : reason));
    const since = this.told.get(table)?.since ?? new Date(this.options.clock.now()).toISOString();
    return [{ table, entity, state, reasons: more > 0 ? [...first, `and ${more} more`] : first, since }];
  }

  private learn(drift: readonly CaptureDrift[]): void {
    const { logger } = this.options;
    const before = this.told;
    this.told = new Map(drift.map((one) => [one.table, one]));
    for (const { table, entity, state, reasons } of drift) {
      if (before.has(table)) continue;
      logger.warn({ table, entity, state, reasons }, 'the table is not captured as the observers file asks: capture check says more');
    }
    for (const { table, entity, since } of before.values()) {
      if (!this.told.has(table)) logger.info({ table, entity, since }, 'the table is captured as the observers file asks again');
    }
    const changed = this.drift === null || JSON.stringify(drift) !== JSON.stringify(this.drift);
    this.drift = drift;
    if (changed) this.options.onChange();
  }
}
