import { evalToken, Output, TokenKind, toValue, toValueSync, TypeGuards, Value, type Context, type Template as LiquidNode } from 'liquidjs';
import { spelledNumber } from '../../event/json-document';

/** Charged for each number of a range, besides Liquid's own: a range is made whole before anybody looks at the clock. */
const COST_OF_NUMBER = 15;

/**
 * Liquid's parser makes doubles of the numbers that stand in a template. Here they become what they are written as; and the ends of ranges
 * are looked at before Liquid counts from one to the other, for beyond 2^53 it never arrives.
 */
export function makeExactWithin(nodes: readonly LiquidNode[]): void {
  for (const node of nodes) {
    if (node instanceof Output) makeExact(node.value);
    else for (const argument of node.arguments?.() ?? []) makeExact(argument);
    const within = (node as LiquidNode).children?.(false, true);
    if (within !== undefined) makeExactWithin(toValueSync(within));
  }
}

/** @param part a value or token of Liquid's parser; anything else is left alone */
export function makeExact(part: unknown): void {
  if (part instanceof Value) {
    part.initial.postfix.forEach(makeExact);
    for (const { args } of part.filters) args.forEach(makeExactArgument);
  } else if (TypeGuards.isNumberToken(part)) {
    const text = part
      .getText()
      .replace(/^\+/, '')
      .replace(/\.$/, '')
      .replace(/^(-?)0+(?=\d)/, '$1');
    (part as { content: unknown }).content = spelledNumber(text);
  } else if (TypeGuards.isPropertyAccessToken(part)) {
    makeExact(part.variable);
    part.props.forEach(makeExact);
  } else if (TypeGuards.isRangeToken(part)) {
    makeExact(part.lhs);
    makeExact(part.rhs);
    guardRange(part);
  } else if (TypeGuards.isFilteredValueToken(part)) {
    part.initial.postfix.forEach(makeExact);
    for (const { args } of part.filters) args.forEach(makeExactArgument);
  }
}

/** A named argument is a pair. */
function makeExactArgument(argument: unknown): void {
  makeExact(Array.isArray(argument) ? argument[1] : argument);
}

function guardRange(range: { lhs: unknown; rhs: unknown }): void {
  const [low, high] = [range.lhs, range.rhs] as [Parameters<typeof evalToken>[0], Parameters<typeof evalToken>[0]];
  const ends = { from: 0 };
  range.lhs = evaluatedBy(low, (from) => {
    ends.from = from;
  });
  range.rhs = evaluatedBy(high, (to, { memoryLimit }) => memoryLimit.use((to - ends.from) * COST_OF_NUMBER));
}

/** A token that Liquid evaluates as the other one, and that looks at what comes of it. */
function evaluatedBy(token: Parameters<typeof evalToken>[0], look: (end: number, context: Context) => void): unknown {
  const initial = {
    *evaluate(context: Context, lenient?: boolean): Generator<unknown, unknown, unknown> {
      const value = toValue(yield evalToken(token, context, lenient)) as unknown;
      const end = Number(value);
      if (Math.abs(end) > Number.MAX_SAFE_INTEGER) throw new Error('a range cannot count to a number beyond 9007199254740991');
      look(end, context);
      return value;
    },
    postfix: [],
  };
  return { kind: TokenKind.FilteredValue, initial, filters: [] };
}
