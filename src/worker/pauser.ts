import type { Pool } from 'pg';
import type { Ledger } from '../delivery/ledger';
import type { Pauses } from '../delivery/pauses';
import { holdPaused, readPausedNames, releaseResumed } from '../delivery/pauses.sql';
import { endpointNameOf } from '../event/endpoint-name';
import type { Dispatcher } from '../pipeline/dispatcher';
import type { EventPipeline } from '../pipeline/event-pipeline';

/** How often the table is asked, in milliseconds: a pause comes from another process. */
const LOOK_EVERY = 200;

/** Brings what people pause and resume into effect. Called by the delivery worker between its claims, hence never beside one. */
export class Pauser {
  private lookedAt = -Infinity;
  /** Of paused observers rows are to be put aside, once the ledger's group of this number is committed; null: there is no need. */
  private holdBehind: number | null = null;
  /** Some are paused since then: nothing is to be claimed before their rows are put aside. */
  private mustHold = false;

  private readonly stream: string;
  private readonly pauses: Pauses;
  private readonly dispatcher: Dispatcher;
  private readonly ledger: Ledger;

  constructor(
    private readonly pool: Pool,
    private readonly pipeline: EventPipeline,
  ) {
    this.stream = pipeline.term.stream;
    this.pauses = pipeline.parts.record.pauses;
    this.dispatcher = pipeline.dispatcher;
    this.ledger = pipeline.ledger;
  }

  async look(): Promise<void> {
    if (this.now() - this.lookedAt >= LOOK_EVERY) await this.compare();
    // What was in memory is put aside when the ledger has written it. A claim between that and what follows would bring later deliveries of its
    // lanes, which are queued still.
    if (this.mustHold) await this.ledger.settle();
    // What was handed over as queued and is not committed yet would be left in the queue, before those that were put aside.
    else if (this.holdBehind === null || this.ledger.committed < this.holdBehind) return;
    await holdPaused(this.pool, this.stream, this.pauses.all);
    this.mustHold = false;
    this.holdBehind = null;
  }

  private async compare(): Promise<void> {
    this.lookedAt = this.now();
    const paused = await readPausedNames(this.pool, this.stream);
    const resumed = this.pauses.all.filter((name) => !paused.includes(name));
    const added = paused.filter((name) => !this.pauses.has(name));
    if (added.length > 0) {
      this.pauses.set([...this.pauses.all, ...added]);
      this.dispatcher.handOverPaused();
      this.mustHold = true;
    }
    if (resumed.length > 0) await this.resume(paused, resumed);
    // Also what was promoted, replayed or taken over since the last look.
    if (paused.length > 0) this.holdBehind ??= this.ledger.newest;
  }

  /**
   * What waited goes first. So from here until it is queued, new deliveries of these endpoints are made to queue behind it; and what is on
   * its way to the table as paused has to arrive there before it is released.
   */
  private async resume(paused: readonly string[], resumed: readonly string[]): Promise<void> {
    const { matcher } = this.pipeline.current;
    const endpoints = new Set(matcher.actionsOf(resumed).map(endpointNameOf));
    this.queued(endpoints);
    try {
      this.pauses.set(paused);
      await this.ledger.settle();
      this.queued(await releaseResumed(this.pool, this.stream, paused));
    } catch (error) {
      // Looked at again: they are paused until they are released, and what was queued meanwhile is put aside behind what waited before.
      this.mustHold = true;
      this.pauses.set([...paused, ...resumed]);
      throw error;
    }
  }

  private now(): number {
    const { clock } = this.pipeline.term;
    return clock.monotonic();
  }

  /** No claim finds them drained meanwhile: none is made beside this. */
  private queued(endpoints: Iterable<string>): void {
    const { gates } = this.dispatcher;
    for (const endpoint of endpoints) gates.queued(endpoint);
  }
}
