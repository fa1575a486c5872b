import Big from 'big.js';
import { toValue, toValueSync, Value, type FilterImplOptions } from 'liquidjs';
import { isNumber, orderForSorting } from './comparison';
import { compute, operandIn, type Operand } from '../decimal';
import { makeExact } from './literals';
import { written } from './number-filters';
import { textOf, type FilterHandler, type LiquidRendering } from './rendering';

type Filter = ThisParameterType<FilterHandler>;

/**
 * Liquid's own sort, sum and group numbers as doubles, or each by itself, and do not look at the clock while they loop.
 */
export const LIST_FILTERS: Readonly<Record<string, FilterImplOptions>> = {
  sort(list: unknown, property?: unknown) {
    return sorted(this, list, (item) => propertyOf(this, item, property));
  },
  sort_natural(list: unknown, property?: unknown) {
    return sorted(this, list, (item) => {
      const value = propertyOf(this, item, property);
      return value === undefined || value === null ? value : textOf(value).toLowerCase();
    });
  },
  sum(list: unknown, property?: unknown) {
    let sum: Operand = NOTHING;
    for (const item of elements(this, list)) sum = compute('+', sum, operandIn(propertyOf(this, item, property)) ?? NOTHING);
    return written(sum);
  },
  uniq(list: unknown) {
    const seen = new Map<unknown, unknown>();
    for (const item of elements(this, list)) if (!seen.has(keyOf(item))) seen.set(keyOf(item), item);
    return [...seen.values()];
  },
  sample(given: unknown, count: unknown = 1) {
    const value: unknown = toValue(given);
    if (value === undefined || value === null) return [];
    const drawn = [...elements(this, Array.isArray(value) ? value : [...textOf(value)])];
    const wanted = Math.min(Number(count), drawn.length);
    for (let at = 0; at < wanted; at++) {
      rendering(this).step();
      const other = at + Math.floor(Math.random() * (drawn.length - at));
      [drawn[at], drawn[other]] = [drawn[other], drawn[at]];
    }
    return Number(count) === 1 ? drawn[0] : drawn.slice(0, Math.max(wanted, 0));
  },
  group_by(list: unknown, property: unknown) {
    const value = expression(this, property);
    return grouped(this, list, (item) => toValueSync(value.value(rendering(this).spawn(item as object))));
  },
  group_by_exp(list: unknown, name: unknown, source: unknown) {
    return grouped(this, list, byExpression(this, name, source));
  },
  where_exp(list: unknown, name: unknown, source: unknown) {
    const of = byExpression(this, name, source);
    return [...elements(this, list)].filter((item) => of(item) === true);
  },
  reject_exp(list: unknown, name: unknown, source: unknown) {
    const of = byExpression(this, name, source);
    return [...elements(this, list)].filter((item) => of(item) === false);
  },
  find_exp(list: unknown, name: unknown, source: unknown) {
    return found(this, list, name, source)?.[1];
  },
  find_index_exp(list: unknown, name: unknown, source: unknown) {
    return found(this, list, name, source)?.[0];
  },
  has_exp(list: unknown, name: unknown, source: unknown) {
    return found(this, list, name, source) !== undefined;
  },
};

const NOTHING: Operand = { digits: 0n, scale: 0 };

function rendering(filter: Filter): LiquidRendering {
  return filter.context as LiquidRendering;
}

/** The elements of a list; a value by itself is a list of one. */
function* elements(filter: Filter, given: unknown): Generator<unknown, void> {
  const value: unknown = toValue(given);
  const list: readonly unknown[] = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  filter.context.memoryLimit.use(list.length);
  for (const element of list) {
    rendering(filter).step();
    yield element;
  }
}

function propertyOf(filter: Filter, item: unknown, property: unknown): unknown {
  const name: unknown = toValue(property);
  if (name === undefined || name === null || name === '') return item;
  return toValueSync(filter.context._getFromScope(item, textOf(name).split('.'), false));
}

function sorted(filter: Filter, list: unknown, by: (item: unknown) => unknown): unknown[] {
  const keyed = [...elements(filter, list)].map((item) => [item, by(item)] as const);
  return keyed
    .sort(([, left], [, right]) => {
      rendering(filter).step();
      return orderForSorting(left, right);
    })
    .map(([item]) => item);
}

/** Two numbers are the same by value: 4.9 and 4.90. */
function keyOf(value: unknown): unknown {
  return isNumber(value) && !Number.isNaN(value) ? `number ${new Big(value).toString()}` : value;
}

function grouped(filter: Filter, given: unknown, by: (item: unknown) => unknown): { name: unknown; items: unknown[] }[] {
  const groups = new Map<unknown, { name: unknown; items: unknown[] }>();
  const value: unknown = toValue(given);
  const list =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Big) ? Object.entries(value) : value;
  for (const item of elements(filter, list)) {
    const name = by(item);
    const group = groups.get(keyOf(name)) ?? { name, items: [] };
    groups.set(keyOf(name), group);
    group.items.push(item);
  }
  return [...groups.values()];
}

function expression({ liquid }: Filter, source: unknown): Value {
  const value = new Value(textOf(toValue(source)), liquid);
  makeExact(value);
  return value;
}

function byExpression(filter: Filter, name: unknown, source: unknown): (item: unknown) => unknown {
  const value = expression(filter, source);
  const { context } = filter;
  return (item) => {
    context.push(Object.assign(Object.create(null), { [textOf(toValue(name))]: item }) as object);
    try {
      return toValueSync(value.value(context));
    } finally {
      context.pop();
    }
  };
}

function found(filter: Filter, list: unknown, name: unknown, source: unknown): [number, unknown] | undefined {
  const of = byExpression(filter, name, source);
  let at = 0;
  for (const item of elements(filter, list)) {
    const holds = of(item);
    if (holds !== false && holds !== undefined && holds !== null) return [at, item];
    at++;
  }
  return undefined;
}
