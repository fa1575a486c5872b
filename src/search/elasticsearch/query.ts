import type { SearchFilter } from '../audit-trail';
import type { PageRequest } from '../paged-audit-trail';
import { spellingsOf } from '../words';
import { holding } from './grams';

type Clause = Record<string, unknown>;

/** What a filter about tries says of one of them. */
export function clausesOfTries({ tried }: SearchFilter): Clause[] {
  const asked: Readonly<Record<string, string | null>> = { ...tried };
  return Object.entries(asked).flatMap(([name, value]) => (value === null ? [] : [{ term: { [`tries.${name}`]: value } }]));
}

/** What PostgreSQL's driver asks of a stored change, of a document. */
export function queryOf({ words, filter, order, behind }: PageRequest): Clause {
  const clauses: Clause[] = [
    ...words.map(clauseOfWord),
    ...clausesOf(filter),
    { range: { change: { [order === 'newest' ? 'lt' : 'gt']: behind } } },
  ];
  return { bool: { filter: clauses } };
}

/** The same without the words and the place. */
export function clausesOf(filter: SearchFilter): Clause[] {
  const { entityType, entityKey, kind, since, until = null, tenants = null } = filter;
  const tries = clausesOfTries(filter);
  const clauses: Clause[] = [];
  if (entityType !== null) clauses.push({ term: { entity_type: entityType } });
  if (entityKey !== null) clauses.push({ term: { entity_key: entityKey } });
  if (kind !== null) clauses.push({ term: { kind } });
  if (since !== null) clauses.push({ range: { micros: { gte: microsOf(since) } } });
  if (until !== null) clauses.push({ range: { micros: { lt: microsOf(until) } } });
  if (tenants !== null) clauses.push({ terms: { tenant: tenants } });
  if (tries.length > 0) clauses.push({ nested: { path: 'tries', query: { bool: { filter: tries } } } });
  return clauses;
}

function clauseOfWord(word: string): Clause {
  const should: Clause[] = spellingsOf(word).map((spelling) => holding('grams', spelling));
  if (/^[1-9]\d{0,14}$/.test(word)) should.push({ term: { change: Number(word) } });
  return { bool: { should, minimum_should_match: 1 } };
}

/** Since 1970, as a text: a double has not so many digits in the year 9999. @param moment RFC 3339 */
export function microsOf(moment: string): string {
  const fraction = /\.(\d+)/.exec(moment)?.[1] ?? '';
  const seconds = BigInt(Date.parse(moment.replace(/\.\d+/, ''))) / 1_000n;
  return String(seconds * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0')));
}
