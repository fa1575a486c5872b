import type { ObserverDefinition } from '../../event/definitions';
import { stringifyExactJson } from '../../event/json-document';
import { columnOf, MISSING, type NamedColumn } from '../path';
import { EvaluationError, placeOf } from './errors';
import type { Node, Scope } from './node';
import { Parser } from './parser';
import { Instant } from '../time';
import { TextOrder } from './text-order';
import { Duration, toTruth, UNKNOWN, type Value } from './values';

export { ConditionSyntaxError } from './errors';
export type { Scope } from './node';

/** `unknown`: a field that the answer needs is missing or null. It does not match. */
export type ConditionAnswer = 'true' | 'false' | 'unknown' | { readonly error: string };

/** One node of the explanation: what stands in the source, what it came to, and why when that is not plain. */
export interface Explanation {
  readonly text: string;
  /** JSON text of the value, `unknown`, `missing`, or `error`. */
  readonly value: string;
  readonly note: string | null;
  readonly children: readonly Explanation[];
}

/** A condition, compiled once per configuration version; immutable and shared by all events. */
export interface Condition {
  readonly source: string;
  /** The look-ups that it names. */
  readonly lookups: readonly string[];
  /** The columns that it names. */
  readonly columns: readonly NamedColumn[];
  /** Whether its answer may be another one at another time. */
  readonly usesClock: boolean;
  /** True exactly when the event matches. @throws EvaluationError when there is no answer */
  matches(scope: Scope): boolean;
  /** The verdict in three values, errors as data. */
  evaluate(scope: Scope): ConditionAnswer;
  /** Every node's value, from the same closures that decide; unknown where it takes look-ups that the event does not hold. */
  explain(scope: Scope): Explanation;
}

/** The condition of an observer; null where it has none. */
export function conditionOf({ when, timesAsText = false }: Pick<ObserverDefinition, 'when' | 'timesAsText'>): Condition | null {
  return when === null ? null : compileCondition(when, timesAsText);
}

/**
 * @param timesAsText as versions of the observers file are read that were recorded when times compared as texts
 * @throws ConditionSyntaxError with line, column and what was expected.
 */
export function compileCondition(source: string, timesAsText = false): Condition {
  const root = new Parser(source, new TextOrder(!timesAsText)).parse();
  return {
    source,
    lookups: [...new Set(lookupsOf(root))],
    columns: columnsIn(root).map(({ start, ...named }) => ({ ...named, ...placeOf(source, start) })),
    usesClock: readsClock(root),
    matches: (scope) => toTruth(root.evaluate(scope)) === true,
    evaluate: (scope) => verdict(root, scope),
    explain: (scope) => explain(source, { ...root, evaluate: (at) => decisive(root.evaluate(at)) }, scope),
  };
}

function lookupsOf(node: Node): string[] {
  return [...(node.lookup == null ? [] : [node.lookup]), ...node.children.flatMap(lookupsOf)];
}

function columnsIn({ steps, names, start, children }: Node): { name: string; use: NamedColumn['use']; start: number }[] {
  const path = steps === undefined ? null : columnOf(steps);
  return [
    ...(path === null ? [] : [{ name: path, use: 'value' as const, start }]),
    ...(names == null ? [] : [{ name: names.column, use: names.use, start: names.start }]),
    ...children.flatMap(columnsIn),
  ];
}

function readsClock(node: Node): boolean {
  return node.clock === true || node.children.some(readsClock);
}

/** The value as it is, once it is known to decide: the whole condition is refused where one of its parts may still be a number. */
function decisive(value: Value): Value {
  toTruth(value);
  return value;
}

function verdict(root: Node, scope: Scope): ConditionAnswer {
  try {
    const value = toTruth(root.evaluate(scope));
    return value === UNKNOWN ? 'unknown' : value ? 'true' : 'false';
  } catch (error) {
    if (error instanceof EvaluationError) return { error: error.message };
    throw error;
  }
}

function explain(source: string, node: Node, scope: Scope): Explanation {
  const children = node.children.map((child) => explain(source, child, scope));
  const text = source.slice(node.start, node.end);
  if (scope.event.lookups === null && lookupsOf(node).length > 0) {
    return { text, value: 'unknown', note: node.lookup == null ? null : 'what is looked up is not at hand', children };
  }
  try {
    const value = node.evaluate(scope);
    return { text, value: shownValue(value), note: noteFor(node, value), children };
  } catch (error) {
    if (error instanceof EvaluationError) return { text, value: 'error', note: error.message, children };
    throw error;
  }
}

function noteFor(node: Node, value: Value): string | null {
  if ((value === MISSING || value === UNKNOWN) && node.path !== null) return `${node.path} is not in the event`;
  if (value === null && node.path !== null) return `${node.path} is null`;
  return null;
}

function shownValue(value: Value): string {
  if (value === MISSING) return 'missing';
  if (value === UNKNOWN) return 'unknown';
  if (value instanceof Instant) return value.toString();
  if (value instanceof Duration) return `${Math.round(value.milliseconds)} ms`;
  return stringifyExactJson(value);
}
