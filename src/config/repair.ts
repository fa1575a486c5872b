import type { z } from 'zod';

type Entry = Record<string, unknown>;

/** What takes the place of a malformed entry, and of each key that it must have. */
interface StandIn {
  readonly whole: (position: string) => Entry;
  readonly replaceable: readonly string[];
}

// Names and positions of the neighbours stay what they are, so that the checks that compare entries go on.
const CAPTURE: StandIn = { whole: (i) => ({ table: `malformed.t${i}` }), replaceable: ['table'] };
const ENDPOINT: StandIn = { whole: () => ({ url: 'https://malformed.invalid' }), replaceable: ['url'] };
const OBSERVER: StandIn = {
  whole: (i) => ({ name: `malformed-${i}`, entity: '*', actions: [{ type: 'log' }] }),
  replaceable: ['name', 'entity', 'actions'],
};
const ACTION: StandIn = { whole: (i) => ({ type: 'log', name: `malformed-${i}` }), replaceable: ['name'] };

/** Keys of which an action needs one, or another: without it nothing can be said about the rest. */
const NEEDED = new Set(['type', 'endpoint', 'url', 'text', 'html', 'delete', 'delete_matching', 'set', 'subject', 'stream']);

/**
 * A copy in which what the schema complains of is left out, or replaced where it must be there: so that the checks behind the schema
 * run over the rest, and all problems are told at once. It is never run from.
 */
export function repair(value: Readonly<Entry>, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(value) as Entry;
  for (const issue of issues) {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      const holder = at(copy, path);
      for (const key of issue.keys) delete holder?.[key];
    } else {
      replace(copy, path);
    }
  }
  // Last: what is wrong with the version itself has taken it out.
  copy['version'] = 1;
  return copy;
}

function replace(copy: Entry, path: readonly string[]): void {
  const [depth, standIn] = entryOf(path);
  const holder = at(copy, path.slice(0, depth - 1));
  const position = path[depth - 1] ?? '';
  if (holder === undefined) return;
  if (standIn === null) {
    delete holder[position];
    return;
  }
  const entry = at(copy, path.slice(0, depth));
  const key = path[depth];
  if (entry === undefined || key === undefined || (standIn === ACTION && NEEDED.has(key))) {
    holder[position] = standIn.whole(position);
  } else if (standIn.replaceable.includes(key)) {
    entry[key] = standIn.whole(position)[key];
  } else {
    delete entry[key];
  }
}

/** How many steps of the path lead to the entry that it is about, and what may stand in for that. */
function entryOf(path: readonly string[]): [depth: number, standIn: StandIn | null] {
  const [section, , within] = path;
  if (section === 'observers' && within === 'actions' && path.length >= 4) return [4, ACTION];
  if (path.length >= 2) {
    if (section === 'observers') return [2, OBSERVER];
    if (section === 'capture') return [2, CAPTURE];
    if (section === 'endpoints') return [2, ENDPOINT];
    return [2, null];
  }
  return [1, null];
}

function at(root: unknown, path: readonly string[]): Entry | undefined {
  let found = root;
  for (const step of path) found = isEntry(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  return isEntry(found) ? found : undefined;
}

/** Lists count: their positions are keys too. */
function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null;
}
