/**
 * The condition language a second time, written from its description: slow, on a tree that no parser of ours made, with numbers
 * as fractions of BigInt. It shares no code with src, so that the two can disagree.
 */

export interface Fraction {
  readonly n: bigint;
  /** Greater than 0. */
  readonly d: bigint;
}

/** A value of the row. Numbers keep the text that stands in the JSON, which is the only thing the product sees. */
export type Model =
  | { readonly is: 'null' }
  | { readonly is: 'truth'; readonly value: boolean }
  | { readonly is: 'text'; readonly value: string }
  | { readonly is: 'number'; readonly text: string }
  | { readonly is: 'list'; readonly items: readonly Model[] }
  | { readonly is: 'object'; readonly members: readonly (readonly [string, Model])[] };

export interface ModelEvent {
  readonly kind: 'insert' | 'update' | 'delete' | 'custom';
  readonly entityType: string;
  readonly tenant: string | null;
  readonly data: Model;
  readonly before: Model | null;
  readonly changed: readonly string[] | null;
}

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';
export type Steps = readonly (string | number)[];
export type Expression =
  | { readonly op: 'literal'; readonly value: Model }
  | { readonly op: 'path'; readonly steps: Steps }
  | { readonly op: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'not' | 'minus'; readonly operand: Expression }
  | { readonly op: 'compare'; readonly how: Comparison; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'arithmetic'; readonly how: '+' | '-' | '*' | '/'; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'in'; readonly negated: boolean; readonly left: Expression; readonly items: readonly Expression[] }
  | { readonly op: 'like'; readonly negated: boolean; readonly left: Expression; readonly pattern: string }
  | { readonly op: 'null test'; readonly negated: boolean; readonly operand: Expression }
  | { readonly op: 'text test'; readonly how: 'starts' | 'ends' | 'contains'; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'has field'; readonly steps: Steps }
  | { readonly op: 'changed'; readonly steps: Steps; readonly from: Expression | null; readonly to: Expression | null };

/** The condition has no answer. */
export class NoAnswer extends Error {}

type Absent = 'missing' | 'unknown';
type Result =
  Exclude<Model, { is: 'null' } | { is: 'number' }> | { readonly is: 'null' } | { readonly is: 'exact'; readonly value: Fraction } | Absent;
type Truth = 'true' | 'false' | 'unknown';

export function referenceVerdict(expression: Expression, event: ModelEvent): Truth | 'error' {
  try {
    return truthOf(evaluate(expression, event));
  } catch (error) {
    if (error instanceof NoAnswer) return 'error';
    throw error;
  }
}

function evaluate(e: Expression, event: ModelEvent): Result {
  switch (e.op) {
    case 'literal':
      return resultOf(e.value);
    case 'path':
      return lookUp(e.steps, event);
    case 'and':
      return kleene(e.left, e.right, 'false', 'true', event);
    case 'or':
      return kleene(e.left, e.right, 'true', 'false', event);
    case 'not': {
      const truth = truthOf(evaluate(e.operand, event));
      return truth === 'unknown' ? 'unknown' : { is: 'truth', value: truth === 'false' };
    }
    case 'minus':
      return calculate('-', { is: 'exact', value: { n: 0n, d: 1n } }, evaluate(e.operand, event));
    case 'compare': {
      const left = evaluate(e.left, event);
      return comparison(e.how, left, evaluate(e.right, event));
    }
    case 'arithmetic': {
      const left = evaluate(e.left, event);
      return calculate(e.how, left, evaluate(e.right, event));
    }
    case 'in':
      return negatedIf(e.negated, membership(evaluate(e.left, event), e.items, event));
    case 'like': {
      const text = evaluate(e.left, event);
      return isAbsent(text) ? 'unknown' : { is: 'truth', value: likeMatches([...textOf(text)], [...e.pattern]) !== e.negated };
    }
    case 'null test':
      return { is: 'truth', value: isAbsent(evaluate(e.operand, event)) !== e.negated };
    case 'text test': {
      const left = evaluate(e.left, event);
      return textTest(e.how, left, evaluate(e.right, event));
    }
    case 'has field':
      return { is: 'truth', value: lookUp(e.steps, event) !== 'missing' };
    case 'changed':
      return changed(e.steps, e.from, e.to, event);
  }
}

/** `decisive` on either side decides; the left is evaluated first, and the right not at all when the left decides. */
function kleene(left: Expression, right: Expression, decisive: Truth, neutral: Truth, event: ModelEvent): Result {
  const first = truthOf(evaluate(left, event));
  if (first === decisive) return { is: 'truth', value: decisive === 'true' };
  const second = truthOf(evaluate(right, event));
  if (second === decisive) return { is: 'truth', value: decisive === 'true' };
  return first === neutral && second === neutral ? { is: 'truth', value: neutral === 'true' } : 'unknown';
}

function truthOf(result: Result): Truth {
  if (isAbsent(result)) return 'unknown';
  if (result.is !== 'truth') throw new NoAnswer();
  return result.value ? 'true' : 'false';
}

function textOf(result: Exclude<Result, Absent>): string {
  if (result.is !== 'text') throw new NoAnswer();
  return result.value;
}

function comparison(how: Comparison, left: Result, right: Result): Result {
  if (isAbsent(left) || isAbsent(right)) return 'unknown';
  const answer = (value: boolean): Result => ({ is: 'truth', value });
  if (how === '=' || how === '<>') return answer(equal(left, right) === (how === '='));
  const order = orderOf(left, right);
  return answer({ '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[how]);
}

function orderOf(left: Present, right: Present): number {
  if (left.is === 'exact' && right.is === 'exact') return sign(left.value.n * right.value.d - right.value.n * left.value.d);
  if (left.is === 'text' && right.is === 'text') return orderOfTexts(left.value, right.value);
  if (left.is === 'truth' && right.is === 'truth') return Number(left.value) - Number(right.value);
  throw new NoAnswer();
}

function orderOfTexts(left: string, right: string): number {
  const [a, b] = [momentOf(left), momentOf(right)];
  if (a === null || b === null || a.ofDay !== b.ofDay) return left < right ? -1 : left > right ? 1 : 0;
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}

/** Of the times that the tests make; in milliseconds. */
function momentOf(text: string): { readonly ofDay: boolean; readonly at: number } | null {
  if (text === 'infinity') return { ofDay: false, at: Infinity };
  const [, date = '1970-01-01', clock = '00:00', zone = 'Z'] =
    /^(?!$)(\d{4}-\d\d-\d\d)?[T ]?(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(Z|[+-]\d\d(?::\d\d)?)?$/.exec(text) ?? [];
  const at = /^\d\d.*\d\d/.test(text) ? Date.parse(`${date}T${clock}${zone.length === 3 ? `${zone}:00` : zone}`) : NaN;
  return Number.isNaN(at) || !/[-:]\d\d/.test(text) ? null : { ofDay: !/^\d{4}-/.test(text), at };
}

type Present = Exclude<Result, Absent | { is: 'null' }>;

function equal(left: Present, right: Present): boolean {
  const composite = (value: Present): boolean => value.is === 'list' || value.is === 'object';
  if (composite(left) && composite(right)) return sameModel(left as Model, right as Model);
  return orderOf(left, right) === 0;
}

/** Equality inside documents: there null equals null, and what differs in type is different, not an error. */
export function sameModel(left: Model, right: Model): boolean {
  if (left.is === 'number' && right.is === 'number') {
    const [a, b] = [fractionOf(left.text), fractionOf(right.text)];
    return a.n * b.d === b.n * a.d;
  }
  if (left.is === 'list' && right.is === 'list')
    return left.items.length === right.items.length && left.items.every((item, i) => sameModel(item, right.items[i] as Model));
  if (left.is === 'object' && right.is === 'object') {
    const theirs = new Map(right.members);
    return (
      left.members.length === right.members.length &&
      left.members.every(([name, value]) => theirs.has(name) && sameModel(value, theirs.get(name) as Model))
    );
  }
  if (left.is === 'null') return right.is === 'null';
  return 'value' in left && 'value' in right && left.value === right.value;
}

function membership(left: Result, items: readonly Expression[], event: ModelEvent): Result {
  if (isAbsent(left)) return 'unknown';
  let sawAbsent = false;
  for (const item of items) {
    const candidate = evaluate(item, event);
    if (isAbsent(candidate)) sawAbsent = true;
    else if (equal(left, candidate)) return { is: 'truth', value: true };
  }
  return sawAbsent ? 'unknown' : { is: 'truth', value: false };
}

function negatedIf(negated: boolean, result: Result): Result {
  return negated && typeof result === 'object' && result.is === 'truth' ? { is: 'truth', value: !result.value } : result;
}

function textTest(how: 'starts' | 'ends' | 'contains', left: Result, right: Result): Result {
  if (isAbsent(left) || isAbsent(right)) return 'unknown';
  if (how === 'contains' && left.is === 'list') return { is: 'truth', value: left.items.some((item) => sameResult(resultOf(item), right)) };
  const [whole, part] = [textOf(left), textOf(right)];
  return { is: 'truth', value: how === 'starts' ? whole.startsWith(part) : how === 'ends' ? whole.endsWith(part) : whole.includes(part) };
}

function sameResult(left: Result, right: Present): boolean {
  if (typeof left === 'string' || left.is !== right.is) return false;
  if (left.is === 'exact' && right.is === 'exact') return left.value.n * right.value.d === right.value.n * left.value.d;
  if (left.is === 'text' && right.is === 'text') return orderOfTexts(left.value, right.value) === 0;
  return sameModel(left as Model, right as Model);
}

function changed(steps: Steps, from: Expression | null, to: Expression | null, event: ModelEvent): Result {
  if (event.kind !== 'update') return { is: 'truth', value: false };
  if (event.before === null) throw new NoAnswer();
  const before = descend(event.before, steps);
  const after = descend(event.data, steps);
  if (before === null && after === null) {
    const named = from === null && to === null && event.changed?.includes(String(steps[0])) === true;
    return named ? { is: 'truth', value: true } : 'unknown';
  }
  if (before !== null && after !== null && sameModel(before, after)) return { is: 'truth', value: false };
  const fits = (model: Model | null, wanted: Expression | null): boolean => {
    if (wanted === null) return true;
    const value = evaluate(wanted, event);
    const own = model === null ? 'missing' : resultOf(model);
    return !isAbsent(value) && !isAbsent(own) && equal(own, value);
  };
  return { is: 'truth', value: fits(before, from) && fits(after, to) };
}

function lookUp(steps: Steps, event: ModelEvent): Result {
  const [root, ...rest] = steps;
  const text = (value: string | null): Result => (value === null ? { is: 'null' } : { is: 'text', value });
  if (root === 'event') return text({ kind: event.kind, entity_type: event.entityType, tenant_id: event.tenant }[rest[0] as 'kind']);
  if (root === 'entity') return text(event.entityType);
  const document = root === 'before' ? event.before : event.data;
  const found = document === null ? null : descend(document, root === 'before' || root === 'data' ? rest : steps);
  return found === null ? 'missing' : resultOf(found);
}

function descend(model: Model, steps: Steps): Model | null {
  const [step, ...rest] = steps;
  if (step === undefined) return model;
  const next =
    model.is === 'object'
      ? model.members.find(([name]) => name === step)?.[1]
      : model.is === 'list'
        ? model.items[step as number]
        : undefined;
  return next === undefined ? null : descend(next, rest);
}

function resultOf(model: Model): Result {
  return model.is === 'number' ? { is: 'exact', value: fractionOf(model.text) } : model;
}

function isAbsent(result: Result): result is Absent | { readonly is: 'null' } {
  return typeof result === 'string' || result.is === 'null';
}

function calculate(how: '+' | '-' | '*' | '/', left: Result, right: Result): Result {
  if (isAbsent(left) || isAbsent(right)) return 'missing';
  if (left.is !== 'exact' || right.is !== 'exact') throw new NoAnswer();
  const [a, b] = [left.value, right.value];
  switch (how) {
    case '+':
      return { is: 'exact', value: { n: a.n * b.d + b.n * a.d, d: a.d * b.d } };
    case '-':
      return { is: 'exact', value: { n: a.n * b.d - b.n * a.d, d: a.d * b.d } };
    case '*':
      return { is: 'exact', value: { n: a.n * b.n, d: a.d * b.d } };
    case '/':
      if (b.n === 0n) throw new NoAnswer();
      return { is: 'exact', value: quotient(a.n * b.d, a.d * b.n) };
  }
}

/** A quotient keeps 20 decimals; the last is rounded, half away from zero. */
function quotient(n: bigint, d: bigint): Fraction {
  const scale = 10n ** 20n;
  const negative = n < 0n !== d < 0n;
  const [p, q] = [n < 0n ? -n : n, d < 0n ? -d : d];
  const rounded = (2n * p * scale + q) / (2n * q);
  return { n: negative ? -rounded : rounded, d: scale };
}

export function fractionOf(text: string): Fraction {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) throw new Error(`not a number: ${text}`);
  const [, minus, whole = '', decimals = '', exponent = '0'] = match;
  const digits = BigInt(`${whole}${decimals}`) * (minus ? -1n : 1n);
  const shift = BigInt(exponent) - BigInt(decimals.length);
  return shift >= 0n ? { n: digits * 10n ** shift, d: 1n } : { n: digits, d: 10n ** -shift };
}

export function sign(n: bigint): number {
  return n < 0n ? -1 : n > 0n ? 1 : 0;
}

/** LIKE as its definition reads: `%` any run, `_` one character, a backslash takes the next one as it is. */
export function likeMatches(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === '%') return likeMatches(text, rest) || (text.length > 0 && likeMatches(text.slice(1), pattern));
  if (first === '\\' && rest.length > 0) return text[0] === rest[0] && likeMatches(text.slice(1), rest.slice(1));
  return text.length > 0 && (first === '_' || first === text[0]) && likeMatches(text.slice(1), rest);
}
