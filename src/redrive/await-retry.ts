import type { ClientBase, Pool } from 'pg';
import { isLed, readProgress } from './asked.sql';
import { showDeadLetter } from './dead-letters.sql';

const LOOK_EVERY = 200;

/** How a retry that was asked for has ended, or why there is no end to tell of. */
export type RetryEnd =
  | { readonly is: 'delivered' | 'failed'; readonly message: string | null }
  /** Nobody can be expected to make the try now. */
  | { readonly is: 'not led' }
  | { readonly is: 'under way' };

/**
 * The service makes the try; its result is looked for until it is there, or nobody can be expected to make it.
 *
 * @param wait milliseconds
 * @param cancelled whether whoever asked has gone
 */
export async function awaitRetry(
  client: ClientBase | Pool,
  id: string,
  wait: number,
  cancelled: () => boolean = () => false,
): Promise<RetryEnd> {
  const item = await showDeadLetter(client, id);
  if (item === null || !(await isLed(client))) return { is: 'not led' };
  const asked = [{ changeNumber: String(item.changeNumber), observer: item.observer, action: item.action }];
  for (const until = performance.now() + wait; !cancelled();) {
    const [found] = await readProgress(client, asked);
    if (found?.is === 'failed') return { is: 'failed', message: (await showDeadLetter(client, id))?.message ?? null };
    if (found?.is === 'delivered')
      return { is: 'delivered', message: item.observer === null ? 'it left the quarantine; its deliveries are under way' : null };
    if (performance.now() >= until) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
  return { is: 'under way' };
}
