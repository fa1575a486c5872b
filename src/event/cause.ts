import type { Delivery } from './delivery';

/**
 * The deliveries that led to a change, oldest first: `sync/write,mirror/call`. A database action sets it for what its function writes
 * (`observers.cause`), a webhook carries it in a header, and an application that writes on behalf of a webhook passes it on.
 */
export type Cause = string;

const CAUSE = /^[\w.-]{1,100}\/[\w.-]{1,100}(,[\w.-]{1,100}\/[\w.-]{1,100})*$/;

/** @returns null for what is no cause: an application may have stored anything */
export function parseCause(text: string | null): Cause | null {
  return text !== null && CAUSE.test(text) ? text : null;
}

/** How many deliveries led to the change. */
export function hopsOf(cause: Cause | null): number {
  return cause === null ? 0 : cause.split(',').length;
}

/** The cause of whatever this delivery brings about. */
export function causeOf({ event, observer, action }: Delivery): Cause {
  const own = `${observer.name}/${action.name}`;
  return event.cause === null ? own : `${event.cause},${own}`;
}

/** For the operator: the chain, and the cycle in it. */
export function describeCause(cause: Cause): string {
  const chain = cause.split(',');
  const before = chain.lastIndexOf(chain.at(-1) ?? '', -2);
  const cycle = before === -1 ? 'no delivery in it repeats' : `the cycle: ${chain.slice(before).join(' → ')}`;
  return `${chain.join(' → ')}; ${cycle}`;
}
