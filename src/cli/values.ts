import { parseDuration } from '../config/units';
import { ExitCode, OperatorError } from '../event/errors';

/** A count on the command line. @throws OperatorError */
export function wholeNumber(flag: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new OperatorError(`${flag} takes a whole number, not "${value}"`, `For example: ${flag} 20`, ExitCode.error);
}

const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** A date and time, UTC unless it says otherwise, or how long ago: to RFC 3339. @throws OperatorError */
export function parseMoment(flag: string, value: string): string {
  const ago = parseDuration(value);
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(value) || !value.includes('T') ? value : `${value}Z`;
  const milliseconds = ago !== null ? Date.now() - ago : MOMENT.test(value) ? Date.parse(zoned) : NaN;
  // No date lies beyond these: neither PostgreSQL's nor JavaScript's text would be the other's.
  if (milliseconds >= 0 && milliseconds < 253_402_300_800_000) return new Date(milliseconds).toISOString();
  throw new OperatorError(
    `${flag} takes a time, not "${value}"`,
    `For example: ${flag} 2026-01-31, ${flag} 2026-01-31T10:00Z, or ${flag} 2h for two hours ago`,
    ExitCode.error,
  );
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}
