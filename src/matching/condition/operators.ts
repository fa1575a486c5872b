import { messageOf } from '../../event/errors';
import { readInstant } from '../time';
import type { Node, NodeType, Scope } from './node';
import type { TextOrder } from './text-order';
import { compileLike } from './text-patterns';
import { arithmetic, compare, equal, isAbsent, spanOf, toDuration, toInstant, toText, toTruth, UNKNOWN, type Value } from './values';

/** Ends compilation with an error at the node. */
export type Fail = (node: { start: number; end: number }, message: string) => never;

/** A node that must yield true or false. */
export function truth(node: Node, fail: Fail): Node {
  if (node.type !== 'truth' && node.type !== 'any') fail(node, `true or false is needed here, and this yields ${named(node.type)}`);
  return node;
}

export function conjunction(left: Node, right: Node, fail: Fail): Node {
  const a = truth(left, fail).evaluate;
  const b = truth(right, fail).evaluate;
  // Kleene's logic: false wins over unknown.
  return joined(left, right, (scope) => {
    const first = toTruth(a(scope));
    if (first === false) return false;
    const second = toTruth(b(scope));
    return second === false ? false : first === true && second === true ? true : UNKNOWN;
  });
}

export function disjunction(left: Node, right: Node, fail: Fail): Node {
  const a = truth(left, fail).evaluate;
  const b = truth(right, fail).evaluate;
  return joined(left, right, (scope) => {
    const first = toTruth(a(scope));
    if (first === true) return true;
    const second = toTruth(b(scope));
    return second === true ? true : first === false && second === false ? false : UNKNOWN;
  });
}

export function negation(operand: Node, start: number, fail: Fail): Node {
  const a = truth(operand, fail).evaluate;
  return made(start, operand.end, [operand], (scope) => negate(toTruth(a(scope))));
}

export function comparison(operator: string, left: Node, right: Node, texts: TextOrder, fail: Fail): Node {
  checkComparable(left, right, fail);
  for (const node of [left, right]) checkText(node, !EQUALITIES.includes(operator), texts, fail);
  const order = texts.of;
  const a = left.evaluate;
  const b = right.evaluate;
  switch (operator) {
    case '=':
    case '==':
      return joined(left, right, (scope) => equal(a(scope), b(scope), order) ?? UNKNOWN);
    case '!=':
    case '<>':
      return joined(left, right, (scope) => negate(equal(a(scope), b(scope), order) ?? UNKNOWN));
    case '<':
      return joined(left, right, (scope) => ordered(compare(a(scope), b(scope), order), (sign) => sign < 0));
    case '<=':
      return joined(left, right, (scope) => ordered(compare(a(scope), b(scope), order), (sign) => sign <= 0));
    case '>':
      return joined(left, right, (scope) => ordered(compare(a(scope), b(scope), order), (sign) => sign > 0));
    case '>=':
      return joined(left, right, (scope) => ordered(compare(a(scope), b(scope), order), (sign) => sign >= 0));
    default:
      return fail(left, `"${operator}" is not an operator`);
  }
}

export function membership(left: Node, items: readonly Node[], negated: boolean, end: number, texts: TextOrder, fail: Fail): Node {
  for (const item of items) checkComparable(left, item, fail);
  for (const node of [left, ...items]) checkText(node, false, texts, fail);
  const a = left.evaluate;
  const evaluate = (scope: Scope): Value => {
    const value = a(scope);
    if (isAbsent(value)) return UNKNOWN;
    let answer: boolean | typeof UNKNOWN = false;
    for (const item of items) {
      const same = equal(value, item.evaluate(scope), texts.of);
      if (same === true) return !negated;
      if (same === null) answer = UNKNOWN;
    }
    return negated ? negate(answer) : answer;
  };
  return made(left.start, end, shown([left, ...items]), evaluate);
}

export function like(left: Node, pattern: Node, negated: boolean, fail: Fail): Node {
  if (typeof pattern.literal !== 'string') return fail(pattern, "LIKE needs a quoted pattern such as 'A%'");
  if (left.type !== 'any' && left.type !== 'text') fail(left, `LIKE needs text, and this yields ${named(left.type)}`);
  const matches = compileLike(pattern.literal);
  return made(left.start, pattern.end, shown([left]), (scope) => {
    const value = left.evaluate(scope);
    return isAbsent(value) ? UNKNOWN : matches(toText(value, 'LIKE')) !== negated;
  });
}

/** IS NULL holds for null and for a field that is not there: both mean that there is no value. */
export function nullTest(operand: Node, negated: boolean, end: number): Node {
  return made(operand.start, end, shown([operand]), (scope) => isAbsent(operand.evaluate(scope)) !== negated);
}

export function arithmeticNode(operator: '+' | '-' | '*' | '/', left: Node, right: Node, fail: Fail): Node {
  const timed = [left, right].some((node) => node.type === 'time' || node.type === 'duration');
  for (const node of [left, right]) {
    if (node.type === 'truth' || (node.type === 'text' && !timed)) fail(node, `${operator} needs numbers, and this is ${named(node.type)}`);
    if (typeof node.literal === 'string' && spanOf(node.literal) === null && readInstant(node.literal) === null)
      fail(node, `'${node.literal}' is neither a time nor a duration such as '1h' or '30s'`);
  }
  const type: NodeType = timed ? (operator === '-' && right.type === 'time' ? 'duration' : 'time') : 'number';
  const a = left.evaluate;
  const b = right.evaluate;
  return { ...joined(left, right, (scope) => arithmetic(operator, a(scope), b(scope))), type };
}

export function made(start: number, end: number, children: readonly Node[], evaluate: (scope: Scope) => Value): Node {
  return { type: 'truth', evaluate, start, end, children, path: null };
}

/** Everything but literals: these need no explanation. */
export function shown(nodes: readonly Node[]): readonly Node[] {
  return nodes.filter((node) => node.literal === undefined);
}

function joined(left: Node, right: Node, evaluate: (scope: Scope) => Value): Node {
  return made(left.start, right.end, shown([left, right]), evaluate);
}

function negate(value: boolean | typeof UNKNOWN): boolean | typeof UNKNOWN {
  return value === UNKNOWN ? UNKNOWN : !value;
}

function ordered(sign: number | null, holds: (sign: number) => boolean): Value {
  return sign === null ? UNKNOWN : holds(sign);
}

function checkComparable(left: Node, right: Node, fail: Fail): void {
  const types = [left.type, right.type];
  if (types.includes('any') || left.type === right.type) return;
  // '1h' and '2026-01-31' are written as text.
  if (types.includes('text') && (types.includes('time') || types.includes('duration'))) {
    for (const node of [left, right]) checkTimeLiteral(node, types.includes('time') ? toInstant : toDuration, fail);
    return;
  }
  fail(right, `${named(left.type)} cannot be compared with ${named(right.type)}`);
}

const EQUALITIES: readonly string[] = ['=', '==', '!=', '<>'];

/** A quoted text that is meant for a time, and is none, would never fit one. */
export function checkText(node: Node, ordered: boolean, texts: TextOrder, fail: Fail): void {
  const problem = typeof node.literal === 'string' ? texts.problemOf(node.literal, ordered) : null;
  if (problem !== null) fail(node, problem);
}

function checkTimeLiteral(node: Node, parse: (value: Value) => unknown, fail: Fail): void {
  if (typeof node.literal !== 'string') return;
  try {
    parse(node.literal);
  } catch (error) {
    const { literal } = node;
    // The text of a literal may be shown to its author; a row's value is shown to nobody.
    fail(
      node,
      messageOf(error).replace(/^text/, () => `'${literal}'`),
    );
  }
}

function named(type: NodeType): string {
  const names: Readonly<Record<NodeType, string>> = {
    truth: 'true or false',
    number: 'a number',
    text: 'text',
    time: 'a time',
    duration: 'a duration',
    any: 'a value',
  };
  return names[type];
}
