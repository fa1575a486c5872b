import type { SingleBar } from 'cli-progress';
import { cursorStream } from '../../event/terminal';

/** How far many items have come. */
export interface BulkTally {
  /** Items of the total that are done. */
  passed: number;
  asked: number;
  delivered: number;
  failed: number;
  /** Asked for, and not finished when we stopped looking. */
  underWay: number;
}

export interface ProgressDisplay {
  show(tally: BulkTally): void;
  end(): void;
}

/** A bar on a terminal, a line for every tenth part elsewhere; on stderr, so that a result can be piped on. */
export async function progressDisplay(total: number): Promise<ProgressDisplay> {
  if (!process.stderr.isTTY) return new Lines(total);
  const { Presets, SingleBar: Bar } = await import('cli-progress');
  const format = '{bar} {value} of {total}, {delivered} delivered, {failed} failed, {underWay} under way';
  return new BarDisplay(
    new Bar({ format, hideCursor: true, stream: cursorStream(process.stderr), stopOnComplete: false }, Presets.shades_classic),
    total,
  );
}

function figures({ delivered, failed, underWay }: BulkTally): { delivered: number; failed: number; underWay: number } {
  return { delivered, failed, underWay };
}

class BarDisplay implements ProgressDisplay {
  constructor(
    private readonly bar: SingleBar,
    total: number,
  ) {
    bar.start(total, 0, { delivered: 0, failed: 0, underWay: 0 });
  }

  show(tally: BulkTally): void {
    this.bar.update(tally.passed, figures(tally));
  }

  end(): void {
    this.bar.stop();
  }
}

class Lines implements ProgressDisplay {
  private shown = 0;

  constructor(private readonly total: number) {}

  show(tally: BulkTally): void {
    const tenth = Math.floor((tally.passed * 10) / Math.max(1, this.total));
    if (tenth === this.shown) return;
    this.shown = tenth;
    const { delivered, failed, underWay } = figures(tally);
    process.stderr.write(`${tally.passed} of ${this.total}, ${delivered} delivered, ${failed} failed, ${underWay} under way\n`);
  }

  end(): void {
    // Nothing is open.
  }
}
