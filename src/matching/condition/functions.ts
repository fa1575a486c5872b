import { counted } from '../../event/counted';
import type { JsonValue } from '../../event/json-document';
import { messageOf } from '../../event/errors';
import { columnOf, compilePath, descend, documentValue, lookupOf, MISSING, rowSteps, UnknownPathError, type PathReader } from '../path';
import { EvaluationError } from './errors';
import type { Node, NodeType, Scope } from './node';
import { Instant, readInstant } from '../time';
import { checkText, made, shown, type Fail } from './operators';
import type { TextOrder } from './text-order';
import { compileRegularExpression } from './text-patterns';
import { Duration, equal, isAbsent, sameJson, toInstant, toText, UNKNOWN, type Value } from './values';

interface FunctionDefinition {
  readonly arguments: number;
  readonly compile: (call: Call) => Node;
}

interface Call {
  readonly name: string;
  readonly args: readonly Node[];
  readonly start: number;
  readonly end: number;
  readonly texts: TextOrder;
  readonly fail: Fail;
}

const FUNCTIONS: Readonly<Record<string, FunctionDefinition>> = {
  STARTS_WITH: textTest((text, part) => text.startsWith(part)),
  ENDS_WITH: textTest((text, part) => text.endsWith(part)),
  CONTAINS: { arguments: 2, compile: contains },
  MATCHES: { arguments: 2, compile: matches },
  HAS_FIELD: { arguments: 1, compile: hasField },
  CHANGED: { arguments: 1, compile: (call) => change(call, fieldOf(call, 0), null, null) },
  CHANGED_TO: { arguments: 2, compile: (call) => change(call, fieldOf(call, 0), null, argument(call, 1)) },
  CHANGED_FROM: { arguments: 2, compile: (call) => change(call, fieldOf(call, 0), argument(call, 1), null) },
  FIELD_CHANGED: { arguments: 1, compile: (call) => change(call, fieldOf(call, 0), null, null) },
  FIELD_CHANGED_TO: { arguments: 2, compile: (call) => change(call, fieldOf(call, 0), null, argument(call, 1)) },
  FIELD_CHANGED_FROM: { arguments: 2, compile: (call) => change(call, fieldOf(call, 0), argument(call, 1), null) },
  STATUS_CHANGED_TO: { arguments: 1, compile: (call) => change(call, ['status'], null, argument(call, 0), call.start) },
  NOW: { arguments: 0, compile: (call) => ({ ...yielding('time', call, [], ({ now }) => Instant.at(now)), clock: true }) },
  AGE: { arguments: 1, compile: age },
};

export const FUNCTION_NAMES: readonly string[] = Object.keys(FUNCTIONS);

export function isFunctionName(name: string): boolean {
  return Object.hasOwn(FUNCTIONS, name.toUpperCase());
}

export function compileFunction(name: string, written: Omit<Call, 'name'>): Node {
  const definition = FUNCTIONS[name.toUpperCase()] as FunctionDefinition;
  const call = { name, ...written };
  const { args, fail } = call;
  if (args.length !== definition.arguments) {
    fail(
      call,
      `${name}() takes ${counted(definition.arguments, 'argument')}, ${args.length === 1 ? 'here is 1' : `here are ${args.length}`}`,
    );
  }
  return definition.compile(call);
}

function argument(call: Call, position: number): Node {
  return call.args[position] as Node;
}

function textTest(holds: (text: string, part: string) => boolean): FunctionDefinition {
  return {
    arguments: 2,
    compile: (call) =>
      yielding('truth', call, call.args, (scope) => {
        const text = argument(call, 0).evaluate(scope);
        const part = argument(call, 1).evaluate(scope);
        return isAbsent(text) || isAbsent(part) ? UNKNOWN : holds(toText(text, call.name), toText(part, call.name));
      }),
  };
}

/** CONTAINS looks for a part in a text, and for an element in a list. */
function contains(call: Call): Node {
  return yielding('truth', call, call.args, (scope) => {
    const whole = argument(call, 0).evaluate(scope);
    const part = argument(call, 1).evaluate(scope);
    if (isAbsent(whole) || isAbsent(part)) return UNKNOWN;
    if (Array.isArray(whole)) return (whole as readonly JsonValue[]).some((element) => isElement(element, part, call.texts));
    return toText(whole, call.name).includes(toText(part, call.name));
  });
}

function isElement(element: JsonValue, wanted: Value, texts: TextOrder): boolean {
  if (typeof element === 'string' && typeof wanted === 'string') return texts.of(element, wanted) === 0;
  return sameJson(element, wanted as JsonValue);
}

function matches(call: Call): Node {
  const pattern = argument(call, 1);
  if (typeof pattern.literal !== 'string') return call.fail(pattern, `${call.name}() needs a quoted pattern`);
  let test: (text: string) => boolean;
  try {
    test = compileRegularExpression(pattern.literal);
  } catch (error) {
    return call.fail(pattern, `this is not a regular expression of the linear-time kind: ${messageOf(error)}`);
  }
  return yielding('truth', call, call.args, (scope) => {
    const text = argument(call, 0).evaluate(scope);
    return isAbsent(text) ? UNKNOWN : test(toText(text, call.name));
  });
}

function hasField(call: Call): Node {
  const read = readerOf(call);
  const steps = stepsOf(call, 0);
  const column = columnOf(steps);
  const names = column === null ? null : { column, use: 'value' as const, start: argument(call, 0).start };
  return { ...yielding('truth', call, [], ({ event }) => read(event) !== MISSING), lookup: lookupOf(steps), names };
}

function readerOf(call: Call): PathReader {
  try {
    return compilePath(stepsOf(call, 0));
  } catch (error) {
    if (error instanceof UnknownPathError) return call.fail(argument(call, 0), error.message);
    throw error;
  }
}

function age(call: Call): Node {
  const { literal } = argument(call, 0);
  if (typeof literal === 'string' && readInstant(literal) === null) call.fail(argument(call, 0), `'${literal}' is not a time`);
  const evaluate = (scope: Scope): Value => {
    const since = argument(call, 0).evaluate(scope);
    return isAbsent(since) ? MISSING : new Duration(Instant.at(scope.now).since(toInstant(since)));
  };
  return { ...yielding('duration', call, call.args, evaluate), clock: true };
}

/**
 * Only an update changes a field: for an insert, a delete or a custom event the answer is false. An update that carries no
 * before-image has no answer, and saying "false" would hide that: it is an error.
 */
function change(
  call: Call,
  steps: readonly (string | number)[],
  from: Node | null,
  to: Node | null,
  start = argument(call, 0).start,
): Node {
  const name = steps.join('.');
  for (const node of [from, to]) if (node !== null) checkText(node, false, call.texts, call.fail);
  const evaluate = (scope: Scope): Value => {
    const { event } = scope;
    if (event.kind !== 'update') return false;
    if (event.before === null) throw new EvaluationError(`${call.name}(${name}) needs the before-image, and this update has none`);
    const before = descend(documentValue(event.before), steps);
    const after = descend(documentValue(event.data), steps);
    if (before === MISSING && after === MISSING) {
      // A masked column (drop) stands in neither image, but its change is named.
      if (from === null && to === null && event.changed?.includes(String(steps[0]))) return true;
      return UNKNOWN;
    }
    if (before !== MISSING && after !== MISSING && sameJson(before, after)) return false;
    return fits(before, from, scope, call.texts) && fits(after, to, scope, call.texts);
  };
  const use = from === null && to === null ? 'change' : 'value';
  const names = { column: String(steps[0]), use, start } as const;
  return { ...yielding('truth', call, shown([from, to].filter((node) => node !== null)), evaluate), path: name, names };
}

function fits(value: Value, wanted: Node | null, scope: Scope, texts: TextOrder): boolean {
  return wanted === null || equal(value, wanted.evaluate(scope), texts.of) === true;
}

/** The row's field that an argument names: `status`, `data.status` or `'status'`. */
function fieldOf(call: Call, position: number): readonly (string | number)[] {
  const steps = rowSteps(stepsOf(call, position));
  return steps ?? call.fail(argument(call, position), `${call.name}() needs a field of the row`);
}

const PATH_STEP = /^([\p{L}_][\p{L}\p{N}_$]*)|^\[(\d+)\]/u;

function stepsOf(call: Call, position: number): readonly (string | number)[] {
  const node = argument(call, position);
  if (node.steps !== undefined) return node.steps;
  if (typeof node.literal !== 'string' || node.literal === '')
    return call.fail(node, `${call.name}() needs a field, such as status or 'status'`);
  // A quoted name that is no path (a column called "e-mail") is one step.
  const steps: (string | number)[] = [];
  let rest = node.literal;
  while (rest !== '') {
    const match = PATH_STEP.exec(rest);
    if (!match) return [node.literal];
    steps.push(match[1] ?? Number(match[2]));
    rest = rest.slice(match[0].length).replace(/^\.(?=.)/, '');
  }
  return steps;
}

function yielding(type: NodeType, call: Call, children: readonly Node[], evaluate: (scope: Scope) => Value): Node {
  return { ...made(call.start, call.end, shown(children), evaluate), type };
}
