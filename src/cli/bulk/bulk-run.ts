import type { AskedDeliveries, AskedDelivery } from '../../redrive/asked-deliveries.service';
import type { SetStep } from '../../redrive/set-worker';
import { colors } from '../output';
import { Interruption } from './interruption';
import { progressDisplay, type ProgressDisplay, type BulkTally } from './progress';
import type { Rate } from './rate';

/** Items of one transaction where no rate is asked for. */
const BATCH = 100;
/** With a rate, batches a second: smaller ones would only be more of them. */
const BATCHES_A_SECOND = 20;
/** Asked for and not finished, while a service works them off: what Ctrl-C can no longer stop. */
const WINDOW = 500;
const LOOK_EVERY = 100;
/** Nothing finished for so long (ms): no more is asked for, and what was is left to the service. */
const PATIENCE = 30_000;
const BREAKERS_EVERY = 1_000;

export interface BulkResult extends BulkTally {
  readonly total: number;
  readonly remaining: number;
  readonly interrupted: boolean;
  /** Whether a service leads, so that what was asked for is being done. */
  readonly led: boolean;
  /** Why it ended before all was asked for, other than by Ctrl-C. */
  readonly stopped: string | null;
  readonly waiting: number;
  readonly running: number;
}

/** What has become of what was asked for, as PostgreSQL has it. Without `ended` only what was seen to end is known. */
export interface BulkFigures {
  readonly waiting: number;
  readonly running: number;
  readonly ended: { readonly delivered: number; readonly failed: number } | null;
}

export interface BulkOptions {
  readonly total: number;
  readonly rate: Rate | null;
  /** Does up to `size` items in one transaction. */
  step(size: number): Promise<SetStep | null>;
  /** Why there was no more to do though something is left; null: there was nothing. */
  endedBy(): string | null;
  /** Null where nothing is delivered, as when items are discarded. */
  readonly watched: WatchedDeliveries | null;
}

export interface WatchedDeliveries {
  /** To take back what waits. */
  readonly token: string;
  /** Goes on where an endpoint is left alone. */
  readonly despiteBreaker: boolean;
  figures(): Promise<BulkFigures>;
}

/** Many items, batch after batch: at a rate, with a display, and stopped between two batches by Ctrl-C. Its memory is bounded. */
export async function runBulk(deliveries: AskedDeliveries, options: BulkOptions): Promise<BulkResult> {
  const interruption = new Interruption();
  const display = await progressDisplay(options.total);
  try {
    return await new BulkRun(deliveries, options, interruption, display).run();
  } finally {
    display.end();
    interruption.end();
  }
}

/** What has become of what was asked for, a line each. */
export function describeResult(result: BulkResult, failedWord: string, token: string): string[] {
  const { asked, delivered, failed, waiting, running, led } = result;
  const lines: string[] = [];
  if (asked > 0) lines.push(`${colors.green('delivered')} ${delivered}`, `${failed > 0 ? colors.red(failedWord) : failedWord} ${failed}`);
  const elsewhere = asked - delivered - failed - waiting - running;
  if (elsewhere > 0) lines.push(`ended unseen, or taken back ${elsewhere} (dlq list, debug-event)`);
  if (running > 0) lines.push(`being tried ${running}`);
  if (waiting > 0) lines.push(led ? `waiting ${waiting}: they are tried as their endpoints have places (see: status)` : `queued ${waiting}: they are tried as soon as a service leads the stream (see: status)`); // prettier-ignore
  if (waiting > 0) lines.push(`To take back what waits: fraiseql-observers dlq cancel --set ${token}`);
  return lines;
}

/** Why not all of it was asked for; no line when all was. */
export function describeEnd({ interrupted, stopped, remaining }: BulkResult): string[] {
  const goesOn = `${remaining} of the set remain; the same token goes on with them`;
  if (interrupted) return [`stopped: ${goesOn}`];
  return stopped === null ? [] : [`stopped, for ${stopped}: ${goesOn}`];
}

class BulkRun {
  private readonly tally: BulkTally = { passed: 0, asked: 0, delivered: 0, failed: 0, underWay: 0 };
  private waiting: AskedDelivery[] = [];
  private later = 0;
  private led = false;
  private lookedAt = 0;
  private endedAt = performance.now();
  private askedAboutBreakersAt = -Infinity;
  private stopped: string | null = null;

  constructor(
    private readonly deliveries: AskedDeliveries,
    private readonly options: BulkOptions,
    private readonly interruption: Interruption,
    private readonly display: ProgressDisplay,
  ) {}

  async run(): Promise<BulkResult> {
    const { rate, total } = this.options;
    const size = rate === null ? BATCH : Math.min(BATCH, Math.max(1, Math.floor(rate.perSecond / BATCHES_A_SECOND)));
    await this.look();
    for (let due = performance.now(); this.goesOn;) {
      const step = await this.options.step(size);
      if (step === null) break;
      this.count(step);
      if (rate !== null && step.asked.length > 0) {
        due = Math.max(due, performance.now() - 1_000) + (step.asked.length / rate.perSecond) * 1_000;
        await this.interruption.sleep(due - performance.now());
      }
      await this.keepUp();
    }
    this.stopped ??= this.options.endedBy();
    await this.finish();
    const figures = await this.figures();
    const { interrupted } = this.interruption;
    const remaining = interrupted || this.stopped !== null ? Math.max(0, total - this.tally.passed) : 0;
    // When it was stopped at the very end, nothing was left to be stopped.
    const stopped = remaining > 0 ? this.stopped : null;
    return { ...this.tally, ...figures, total, led: this.led, interrupted, stopped, remaining };
  }

  private get goesOn(): boolean {
    return !this.interruption.interrupted && this.stopped === null;
  }

  private count(step: SetStep): void {
    const { tally } = this;
    tally.passed += step.passed;
    tally.asked += step.asked.length;
    if (this.options.watched === null) return this.display.show(tally);
    // Without a service nobody works on them: to look after each would be to remember all of them.
    if (this.led) for (const one of step.asked) this.waiting.push(one);
    else this.later += step.asked.length;
    this.show();
  }

  private async keepUp(): Promise<void> {
    if (performance.now() - this.lookedAt > LOOK_EVERY) await this.look();
    while (this.waiting.length >= WINDOW && this.patient && this.goesOn) {
      await this.interruption.sleep(LOOK_EVERY);
      await this.look();
    }
    if (this.waiting.length < WINDOW || this.patient || !this.goesOn) return;
    // They are on record in PostgreSQL; here they only stand in the way of the others.
    if (this.options.watched?.despiteBreaker === true || !this.led) this.giveUp();
    else this.stopped = `none of ${this.waiting.length} has ended within ${PATIENCE / 1_000} s`;
  }

  /** What is under way is waited for, as long as something ends; Ctrl-C does not wait. */
  private async finish(): Promise<void> {
    await this.look();
    while (this.waiting.length > 0 && this.patient && this.goesOn) {
      await this.interruption.sleep(LOOK_EVERY);
      await this.look();
    }
    this.giveUp();
    this.show();
  }

  /** At the end, as PostgreSQL has it: what was given up here has gone on there. */
  private async figures(): Promise<Pick<BulkResult, 'delivered' | 'failed' | 'waiting' | 'running' | 'underWay'>> {
    const { delivered, failed } = this.tally;
    if (this.options.watched === null) return { delivered, failed, waiting: 0, running: 0, underWay: 0 };
    const { waiting, running, ended } = await this.options.watched.figures();
    return { ...(ended ?? { delivered, failed }), waiting, running, underWay: waiting + running };
  }

  private get patient(): boolean {
    return this.led && performance.now() - this.endedAt < PATIENCE;
  }

  private giveUp(): void {
    this.later += this.waiting.length;
    this.waiting = [];
  }

  private async look(): Promise<void> {
    if (this.options.watched === null) return;
    this.led = await this.deliveries.isLed();
    if (this.waiting.length > 0) {
      const found = await this.deliveries.progressOf(this.waiting);
      const still = this.waiting.filter((_, i) => found[i]?.is === 'under way');
      if (still.length < this.waiting.length) this.endedAt = performance.now();
      for (const { is } of found) {
        if (is === 'delivered') this.tally.delivered++;
        else if (is === 'failed') this.tally.failed++;
        else if (is === 'later') this.later++;
      }
      this.waiting = still;
    } else this.endedAt = performance.now();
    await this.lookAtBreakers();
    this.lookedAt = performance.now();
    this.show();
  }

  /** Behind a breaker that has opened they would wait for hours, and nobody could call that under way. */
  private async lookAtBreakers(): Promise<void> {
    const { watched } = this.options;
    const due = performance.now() - this.askedAboutBreakersAt > BREAKERS_EVERY;
    if (watched === null || watched.despiteBreaker || this.waiting.length === 0 || !due) return;
    this.askedAboutBreakersAt = performance.now();
    const endpoints = new Set(this.waiting.map(({ endpoint }) => endpoint));
    const held = (await this.deliveries.held()).find(({ name, state }) => state === 'open' && endpoints.has(name));
    if (held !== undefined) this.stopped = `the circuit breaker of ${held.name} is open`;
  }

  private show(): void {
    this.tally.underWay = this.waiting.length + this.later;
    this.display.show(this.tally);
  }
}
