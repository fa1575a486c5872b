// tttttttt-tttt-7000-bnnn-nnnnnnnnnnnn: milliseconds, then the change number in the last 60 bits. The default of the log's id makes it.
const WITH_NUMBER = /^[0-9a-f]{8}-[0-9a-f]{4}-7000-b([0-9a-f]{3})-([0-9a-f]{12})$/i;

/**
 * The change number that an event id holds, as the change log makes them. Null for ids of adopted tables, and for most that applications
 * make; one of these may look like ours, so whoever finds the change must compare its id.
 */
export function changeNumberIn(eventId: string): number | null {
  const [, high, low] = WITH_NUMBER.exec(eventId) ?? [];
  if (high === undefined || low === undefined) return null;
  const number = Number(`0x${high}${low}`);
  return Number.isSafeInteger(number) ? number : null;
}
