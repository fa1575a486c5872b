import { ClockTime, Instant, isFailedTime, orderOfTimes, readTime, type Time } from '../time';
import { spanOf } from './values';

/**
 * How two texts of one condition compare. A row's times are texts, for JSON knows no others: where both texts can be read as times of one
 * kind they compare as these, else by code unit.
 */
export class TextOrder {
  /** Times that stand in the condition itself, read once. */
  private readonly literals = new Map<string, Time>();
  /** Durations that stand there, such as '2h': beside an interval they are one. */
  private readonly durations = new Map<string, Time>();

  /** @param readsTimes false in versions of the observers file that were recorded when times compared as texts */
  constructor(private readonly readsTimes: boolean) {}

  /** Negative, 0 or positive. */
  readonly of = (left: string, right: string): number => {
    if (left === right) return 0;
    const [a, b] = this.readsTimes ? this.timesIn(left, right) : NONE;
    if (a !== null && b !== null) return orderOfTimes(a, b);
    return left < right ? -1 : 1;
  };

  /**
   * Prepares for a text of the condition that is compared with something.
   *
   * @returns what is wrong with it, or null
   */
  problemOf(literal: string, ordered: boolean): string | null {
    if (!this.readsTimes) return null;
    if (isFailedTime(literal, ordered)) return `'${literal}' is not a time, although it looks like one; write ${EXAMPLES}`;
    const time = readTime(literal);
    if (time !== null) this.literals.set(literal, time);
    const span = time === null ? spanOf(literal) : null;
    if (span !== null) this.durations.set(literal, new ClockTime(Math.floor(span / 1_000), Math.round((span % 1_000) * 1e6)));
    return null;
  }

  private timesIn(left: string, right: string): readonly [Time, Time] | typeof NONE {
    const a = this.literals.get(left) ?? readTime(left) ?? this.durations.get(left);
    if (a === undefined) return NONE;
    const b = this.literals.get(right) ?? readTime(right) ?? this.durations.get(right);
    if (b === undefined) return NONE;
    // Two durations are two texts of the condition, or a column of texts such as 5m.
    if (this.durations.get(left) === a && this.durations.get(right) === b) return NONE;
    return (a instanceof Instant && b instanceof Instant) || (a instanceof ClockTime && b instanceof ClockTime) ? [a, b] : NONE;
  }
}

const NONE = [null, null] as const;
const EXAMPLES = "'2026-01-31', '2026-01-31T10:00:00Z' or '10:00:00'";
