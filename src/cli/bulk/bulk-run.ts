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
/** Nothing finished for so long (ms): the rest is asked for without waiting, or left to the service. */
const PATIENCE = 30_000;

export interface BulkResult extends BulkTally {
  readonly total: number;
  readonly remaining: number;
  readonly interrupted: boolean;
  /** Whether a service leads, so that what was asked for is being done. */
  readonly led: boolean;
}

export interface BulkOptions {
  readonly total: number;
  readonly rate: Rate | null;
  /** False where nothing is delivered, as when items are discarded. */
  readonly watched: boolean;
  /** Does up to `size` items in one transaction. */
  step(size: number): Promise<SetStep | null>;
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
export function describeResult({ asked, delivered, failed, underWay, led }: BulkResult, failedWord: string): string[] {
  if (asked === 0) return [];
  const lines = [`${colors.green('delivered')} ${delivered}`, `${failed > 0 ? colors.red(failedWord) : failedWord} ${failed}`];
  if (underWay > 0 && led) lines.push(`still under way ${underWay} (see: status, dlq list)`);
  if (underWay > 0 && !led) lines.push(`queued ${underWay}: they are tried as soon as a service leads the stream (see: status)`);
  return lines;
}

class BulkRun {
  private readonly tally: BulkTally = { passed: 0, asked: 0, delivered: 0, failed: 0, underWay: 0 };
  private waiting: AskedDelivery[] = [];
  private later = 0;
  private led = false;
  private lookedAt = 0;
  private endedAt = performance.now();

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
    for (let due = performance.now(); !this.interruption.interrupted;) {
      const step = await this.options.step(size);
      if (step === null) break;
      this.count(step);
      if (rate !== null && step.asked.length > 0) {
        due = Math.max(due, performance.now() - 1_000) + (step.asked.length / rate.perSecond) * 1_000;
        await this.interruption.sleep(due - performance.now());
      }
      await this.keepUp();
    }
    await this.finish();
    const { passed } = this.tally;
    const { interrupted } = this.interruption;
    return { ...this.tally, total, led: this.led, interrupted, remaining: interrupted ? Math.max(0, total - passed) : 0 };
  }

  private count(step: SetStep): void {
    const { tally } = this;
    tally.passed += step.passed;
    tally.asked += step.asked.length;
    if (!this.options.watched) return this.display.show(tally);
    // Without a service nobody works on them: to look after each would be to remember all of them.
    if (this.led) for (const one of step.asked) this.waiting.push(one);
    else this.later += step.asked.length;
    this.show();
  }

  private async keepUp(): Promise<void> {
    if (performance.now() - this.lookedAt > LOOK_EVERY) await this.look();
    while (this.waiting.length >= WINDOW && this.patient && !this.interruption.interrupted) {
      await this.interruption.sleep(LOOK_EVERY);
      await this.look();
    }
    // They are on record in PostgreSQL; here they only stand in the way of the others.
    if (this.waiting.length >= WINDOW && !this.patient) this.giveUp();
  }

  /** What is under way is waited for, as long as something ends; Ctrl-C does not wait. */
  private async finish(): Promise<void> {
    await this.look();
    while (this.waiting.length > 0 && this.patient && !this.interruption.interrupted) {
      await this.interruption.sleep(LOOK_EVERY);
      await this.look();
    }
    this.giveUp();
    this.show();
  }

  private get patient(): boolean {
    return this.led && performance.now() - this.endedAt < PATIENCE;
  }

  private giveUp(): void {
    this.later += this.waiting.length;
    this.waiting = [];
  }

  private async look(): Promise<void> {
    if (!this.options.watched) return;
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
    this.lookedAt = performance.now();
    this.show();
  }

  private show(): void {
    this.tally.underWay = this.waiting.length + this.later;
    this.display.show(this.tally);
  }
}
