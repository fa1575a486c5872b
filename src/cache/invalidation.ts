import { didYouMean } from '../config/problems';
import type { NewOperation } from '../database/operation.sql';
import type { ObserverDefinition } from '../event/definitions';
import type { Invalidation } from './lookup-cache';

/** The record of an invalidation. Everybody reads it who may look, so a URL goes without its query and its user: they may open the door there. */
export function invalidationBy(who: string, what: Invalidation): NewOperation {
  const items = 'lookup' in what ? { lookup: what.lookup } : { url: what.url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*/s, '') };
  return { who, what: 'cache: invalidated', items, before: null, after: null };
}

/** Why a look-up cannot be invalidated by this name; null when an observer uses it. */
export function unknownLookup(
  name: string,
  observers: readonly ObserverDefinition[],
): { readonly message: string; readonly remedy: string } | null {
  const names = [...new Set(observers.flatMap(({ lookups }) => lookups.map((lookup) => lookup.name)))];
  if (names.includes(name)) return null;
  return {
    message: `no observer uses a look-up "${name}"${didYouMean(name, names)}`,
    remedy: names.length === 0 ? 'There is none.' : `What there is: ${names.join(', ')}`,
  };
}
