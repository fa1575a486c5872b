import { colors } from '../output';
import type { BulkResult } from './bulk-run';

/** What has become of what was asked for, a line each. */
export function describeResult({ asked, delivered, failed, underWay, led }: BulkResult, failedWord: string): string[] {
  if (asked === 0) return [];
  const lines = [`${colors.green('delivered')} ${delivered}`, `${failed > 0 ? colors.red(failedWord) : failedWord} ${failed}`];
  if (underWay > 0 && led) lines.push(`still under way ${underWay} (see: status, dlq list)`);
  if (underWay > 0 && !led) lines.push(`queued ${underWay}: they are tried as soon as a service leads the stream (see: status)`);
  return lines;
}
