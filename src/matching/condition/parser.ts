import Big from 'big.js';
import { compilePath, lookupOf, UnknownPathError } from '../path';
import { ConditionSyntaxError } from './errors';
import { compileFunction, isFunctionName } from './functions';
import { tokenize, type Token } from './lexer';
import type { Node, NodeType } from './node';
import type { TextOrder } from './text-order';
import { arithmeticNode, comparison, conjunction, disjunction, membership, like, negation, nullTest, shown, truth } from './operators';

export const MAX_BYTES = 4_096;
export const MAX_NESTING = 64;

// How tightly each binary operator binds. NOT sits between AND and the comparisons: NOT a = 1 is NOT (a = 1).
const BINDING: Readonly<Record<string, number>> = {
  OR: 1, '||': 1, AND: 2, '&&': 2,
  '=': 4, '==': 4, '!=': 4, '<>': 4, '<': 4, '<=': 4, '>': 4, '>=': 4, IN: 4, LIKE: 4, IS: 4, NOT: 4,
  '+': 5, '-': 5, '*': 6, '/': 6,
}; // prettier-ignore
const NOT_OPERAND = 3;
const COMPARISON = 4;
const SIGN_OPERAND = 7;
const RESERVED = new Set(['AND', 'OR', 'NOT', 'IN', 'LIKE', 'IS', 'NULL', 'TRUE', 'FALSE']);

/** Precedence-climbing (Pratt) parser that yields closures at once: there is no tree to interpret. */
export class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;
  private depth = 0;

  constructor(
    private readonly source: string,
    private readonly texts: TextOrder,
  ) {
    if (Buffer.byteLength(source) > MAX_BYTES) {
      throw new ConditionSyntaxError(source, 0, 1, `a condition may have ${MAX_BYTES} bytes, this one has ${Buffer.byteLength(source)}`);
    }
    this.tokens = tokenize(source);
  }

  /** @throws ConditionSyntaxError */
  parse(): Node {
    if (this.tokens.length === 1) throw this.error(this.peek, 'the condition is empty');
    const node = truth(this.expression(0), this.fail);
    if (this.peek.kind !== 'end') throw this.expected('AND, OR or the end of the condition');
    return node;
  }

  private expression(minimum: number): Node {
    if (++this.depth > MAX_NESTING) throw this.error(this.peek, `nested more than ${MAX_NESTING} deep`);
    let left = this.operand();
    for (;;) {
      const operator = this.operator();
      const binding = operator === null ? undefined : BINDING[operator];
      if (operator === null || binding === undefined || binding <= minimum) break;
      left = this.infix(left, operator, binding);
      // a = b = c is a mistake, not a comparison of a truth with c.
      if (binding === COMPARISON && BINDING[this.operator() ?? ''] === COMPARISON) throw this.expected('AND or OR after a comparison');
    }
    this.depth--;
    return left;
  }

  private infix(left: Node, operator: string, binding: number): Node {
    this.at++;
    switch (operator) {
      case 'AND':
      case '&&':
        return conjunction(left, this.expression(binding), this.fail);
      case 'OR':
      case '||':
        return disjunction(left, this.expression(binding), this.fail);
      case 'IS': {
        const negated = this.takeWord('NOT');
        const end = this.need('NULL').end;
        return nullTest(left, negated, end);
      }
      case 'NOT':
        if (this.takeWord('IN')) return this.list(left, true);
        this.need('LIKE', 'IN or LIKE after NOT');
        return like(left, this.expression(COMPARISON), true, this.fail);
      case 'IN':
        return this.list(left, false);
      case 'LIKE':
        return like(left, this.expression(COMPARISON), false, this.fail);
      case '+':
      case '-':
      case '*':
      case '/':
        return arithmeticNode(operator, left, this.expression(binding), this.fail);
      default:
        return comparison(operator, left, this.expression(binding), this.texts, this.fail);
    }
  }

  private list(left: Node, negated: boolean): Node {
    this.need('(', '"(" and a list of values after IN');
    const items: Node[] = [];
    do items.push(this.expression(COMPARISON));
    while (this.takeSymbol(','));
    return membership(left, items, negated, this.need(')', '"," or ")"').end, this.texts, this.fail);
  }

  private operand(): Node {
    const token = this.peek;
    this.at++;
    switch (token.kind) {
      case 'number':
        return literal(token, 'number', exactLiteral(token.value));
      case 'text':
        return literal(token, 'text', token.value);
      case 'name':
        return this.name(token);
      case 'symbol':
        if (token.value === '(') return this.group(token);
        if (token.value === '!') return negation(this.expression(NOT_OPERAND), token.start, this.fail);
        if (token.value === '-') return this.negative(token);
        break;
      case 'end':
        break;
    }
    this.at--;
    throw this.expected('a field, a value, a function or "("');
  }

  private group(open: Token): Node {
    const inner = this.expression(0);
    const end = this.need(')', '")"').end;
    return { ...inner, start: open.start, end };
  }

  private negative(minus: Token): Node {
    const operand = this.expression(SIGN_OPERAND);
    const zero = literal(minus, 'number', 0);
    return { ...arithmeticNode('-', zero, operand, this.fail), start: minus.start, children: shown([operand]) };
  }

  private name(token: Token): Node {
    const word = token.value.toUpperCase();
    if (word === 'NOT') return negation(this.expression(NOT_OPERAND), token.start, this.fail);
    if (word === 'TRUE' || word === 'FALSE') return literal(token, 'truth', word === 'TRUE');
    if (word === 'NULL') throw this.error(token, 'null equals nothing; write IS NULL or IS NOT NULL');
    if (this.peek.value === '(' && this.peek.kind === 'symbol') return this.call(token);
    if (RESERVED.has(word)) {
      this.at--;
      throw this.expected('a field, a value, a function or "("');
    }
    return this.path(token);
  }

  private call(token: Token): Node {
    if (!isFunctionName(token.value)) throw this.error(token, `there is no function ${token.value}()`);
    this.at++;
    const args: Node[] = [];
    if (!this.takeSymbol(')')) {
      do args.push(this.expression(0));
      while (this.takeSymbol(','));
      this.need(')', '"," or ")"');
    }
    return compileFunction(token.value, { args, start: token.start, end: this.previous.end, texts: this.texts, fail: this.fail });
  }

  private path(first: Token): Node {
    const steps: (string | number)[] = [first.value];
    for (;;) {
      if (this.takeSymbol('.')) {
        const step = this.peek;
        if (step.kind !== 'name') throw this.expected('a field name after "."');
        this.at++;
        steps.push(step.value);
      } else if (this.takeSymbol('[')) {
        const index = this.peek;
        if (index.kind === 'text') steps.push(index.value);
        else if (index.kind === 'number' && /^\d+$/.test(index.value)) steps.push(Number(index.value));
        else throw this.expected('a position such as [0], or a quoted name');
        this.at++;
        this.need(']', '"]"');
      } else break;
    }
    return this.pathNode(steps, first.start, this.previous.end);
  }

  private pathNode(steps: readonly (string | number)[], start: number, end: number): Node {
    try {
      const read = compilePath(steps);
      return {
        type: 'any',
        evaluate: ({ event }) => read(event),
        start,
        end,
        children: [],
        path: this.source.slice(start, end),
        steps,
        lookup: lookupOf(steps),
      };
    } catch (error) {
      if (error instanceof UnknownPathError) throw new ConditionSyntaxError(this.source, start, end, error.message);
      throw error;
    }
  }

  private readonly fail = (node: { start: number; end: number }, message: string): never => {
    throw new ConditionSyntaxError(this.source, node.start, node.end, message);
  };

  private get peek(): Token {
    return this.tokens[Math.min(this.at, this.tokens.length - 1)] as Token;
  }

  private get previous(): Token {
    return this.tokens[this.at - 1] as Token;
  }

  /** The operator that stands here, or null; names are operators only when they are words of the language. */
  private operator(): string | null {
    const { kind, value } = this.peek;
    return kind === 'symbol' ? value : kind === 'name' ? value.toUpperCase() : null;
  }

  private takeWord(word: string): boolean {
    if (this.peek.kind !== 'name' || this.peek.value.toUpperCase() !== word) return false;
    this.at++;
    return true;
  }

  private takeSymbol(symbol: string): boolean {
    if (this.peek.kind !== 'symbol' || this.peek.value !== symbol) return false;
    this.at++;
    return true;
  }

  private need(what: string, expected = what): Token {
    const token = this.peek;
    if (!(this.takeSymbol(what) || this.takeWord(what))) throw this.expected(expected);
    return token;
  }

  private expected(what: string): ConditionSyntaxError {
    const token = this.peek;
    const found = token.kind === 'end' ? 'the condition ends' : `"${this.source.slice(token.start, token.end)}" stands`;
    return this.error(token, `${found} where ${what} was expected`);
  }

  private error(token: Token, message: string): ConditionSyntaxError {
    return new ConditionSyntaxError(this.source, token.start, token.end, message);
  }
}

function literal(token: Token, type: NodeType, value: string | number | boolean | Big): Node {
  return { type, evaluate: () => value, start: token.start, end: token.end, children: [], path: null, literal: value };
}

function exactLiteral(text: string): number | Big {
  const exact = new Big(text);
  const double = Number(text);
  return Number.isFinite(double) && exact.eq(String(double)) ? double : exact;
}
