import type { CaptureDrift } from '../../status/capture-drift';
import { toTheSecond } from '../../event/clock';
import { colors } from '../output';

/** Lines of the summary; more would push the rest off the screen. */
const MOST_LINES = 5;

/** Tables that are not captured as the file asks, a line each. */
export function describeDrift(drift: readonly CaptureDrift[]): [string, string][] {
  const lines = drift
    .slice(0, MOST_LINES)
    .map(({ table, state, reasons, since }): [string, string] => [
      'capture',
      `${table}: ${colors.red(state)} since ${toTheSecond(since)}: ${reasons[0] ?? ''}${reasons.length > 1 ? ' …' : ''}   (capture check)`,
    ]);
  if (drift.length > MOST_LINES) lines.push(['capture', `and ${drift.length - MOST_LINES} more tables   (status --detailed)`]);
  return lines;
}
