/** What stands in headers as a date: the three forms that HTTP knows (of which asctime names no zone), and ISO 8601. */
const ZONE = '(?: (?:[a-z]{1,5}|[+-]\\d{4}))?';
const HTTP_DATES = [
  new RegExp(`^(?:[a-z]{3,9}, ?)?\\d{1,2}[ -][a-z]{3}[ -]\\d{2,4} \\d{2}:\\d{2}:\\d{2}${ZONE}$`, 'i'),
  new RegExp(`^[a-z]{3} [a-z]{3} [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4}${ZONE}$`, 'i'),
];
const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$/i;
const HAS_ZONE = /(?:[a-z]|[+-]\d{2}:?\d{2})$/i;

/** The header as it came; of several, which a proxy between may add to, the longest wait. @returns milliseconds; null for none that can be read */
export function retryAfterOf(header: string | readonly string[] | null | undefined, now: number): number | null {
  const waits = [header ?? []].flat().flatMap((value) => parseRetryAfter(value, now) ?? []);
  return waits.length === 0 ? null : Math.max(...waits);
}

/** `Retry-After` in seconds or as a date, to milliseconds from now; a date that is past is now. Null for what is neither. */
export function parseRetryAfter(value: string, now: number): number | null {
  const text = value.trim();
  const milliseconds = /^\d+$/.test(text) ? Number(text) * 1_000 : dateIn(text) - now;
  return Number.isNaN(milliseconds) ? null : Math.min(Math.max(0, milliseconds), Number.MAX_SAFE_INTEGER);
}

/** A date without a zone is GMT, whatever the zone of this machine is. */
function dateIn(text: string): number {
  const iso = ISO_DATE.test(text);
  if (!iso && !HTTP_DATES.some((form) => form.test(text))) return NaN;
  return Date.parse(HAS_ZONE.test(text) ? text : text + (iso ? 'Z' : ' GMT'));
}
