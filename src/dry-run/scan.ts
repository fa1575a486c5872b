import { decode } from '../change-log/decode';
import type { ObserverDefinition } from '../event/definitions';
import { SIDE_PAGE_BYTES } from '../event/image-budget';
import type { StoredEvents } from '../explain/stored-events.service';
import { FEW_ROWS, PageSize } from '../change-log/page-size';
import type { Preview } from './preview';

export interface ScanRange {
  /** RFC 3339. */
  readonly since: string;
  /** Only the newest so many; null: all. */
  readonly limit: number | null;
  readonly maxEventSize: number;
}

/** Told of the progress. @returns whether to stop */
export type ScanWatch = (done: number, count: number) => boolean | Promise<boolean>;

/** Runs a preview over the stored events, in pages, each in a transaction of its own: nothing is held back meanwhile. @returns whether it came to the end */
export async function scan(
  events: StoredEvents,
  preview: Preview,
  { since, limit, maxEventSize }: ScanRange,
  watch: ScanWatch,
): Promise<boolean> {
  const { count, behind, last } = await events.range(since, limit);
  const limits = { bytes: SIDE_PAGE_BYTES, eventBytes: maxEventSize };
  const pageSize = new PageSize(FEW_ROWS);
  await watch(0, count);
  for (let [at, done] = [behind, 0]; ;) {
    const rows = await events.page({ behind: at, last, since }, limits, pageSize);
    if (rows.length === 0) return true;
    for (const row of rows) preview.add(decode(row, maxEventSize));
    at = Number(rows.at(-1)?.[0]);
    done += rows.length;
    if (await watch(done, count)) return done >= count;
  }
}

/** What a preview cannot tell of conditions that read the clock. */
export function clockNotes(observers: readonly ObserverDefinition[]): string[] {
  const reading = observers.filter(({ when }) => when !== null && /\bnow\s*\(/i.test(when)).map(({ name }) => name);
  return reading.length === 0 ? [] : [`${reading.join(', ')}: NOW() is taken as the time at which each event was written`];
}
