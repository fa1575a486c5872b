import { compileCondition, ConditionSyntaxError } from '../../../src/matching/condition/condition';

function errorOf(source: string): ConditionSyntaxError {
  try {
    compileCondition(source);
  } catch (error) {
    if (error instanceof ConditionSyntaxError) return error;
    throw error;
  }
  throw new Error(`this compiles: ${source}`);
}

const OPERAND = 'where a field, a value, a function or "(" was expected';
const END = 'where AND, OR or the end of the condition was expected';
const CHAIN = 'where AND or OR after a comparison was expected';
const POSITION = 'where a position such as [0], or a quoted name was expected';
const FIELD = "needs a field, such as status or 'status'";
const EVENT = 'event has no "colour"; it has id, kind, type, entity_type, entity_key, tenant_id, timestamp, sequence, changed, collapsed';

describe('a condition that cannot be read names line, column, the token, and what was expected', () => {
  it.each<readonly [source: string, line: number, column: number, message: string]>([
    // Unfinished, or in the wrong order.
    ['', 1, 1, 'the condition is empty'],
    ['   \n ', 2, 2, 'the condition is empty'],
    ['total >', 1, 8, `the condition ends ${OPERAND}`],
    ['total > > 5', 1, 9, `">" stands ${OPERAND}`],
    ['AND total', 1, 1, `"AND" stands ${OPERAND}`],
    ['total 5', 1, 7, `"5" stands ${END}`],
    ['total = 5 status', 1, 11, `"status" stands ${END}`],
    ['total > 5 LIMIT 1', 1, 11, `"LIMIT" stands ${END}`],
    ['a BETWEEN 1 AND 2', 1, 3, `"BETWEEN" stands ${END}`],
    ['total = 5 AND', 1, 14, `the condition ends ${OPERAND}`],
    ['total = 5 AND\n  OR x', 2, 3, `"OR" stands ${OPERAND}`],
    ['a = 1\n  AND b == = 2', 2, 12, `"=" stands ${OPERAND}`],
    ['a = 1\r\n  AND b == = 2', 2, 12, `"=" stands ${OPERAND}`],
    ['NOT', 1, 4, `the condition ends ${OPERAND}`],
    ['like = 1', 1, 1, `"like" stands ${OPERAND}`],
    // Parentheses and quotes.
    ['(total = 5', 1, 11, 'the condition ends where ")" was expected'],
    ['total = 5)', 1, 10, `")" stands ${END}`],
    ['()', 1, 2, `")" stands ${OPERAND}`],
    ['a AND (b OR (c)', 1, 16, 'the condition ends where ")" was expected'],
    ["status = 'paid", 1, 10, "this text has no closing '"],
    ['status = "paid', 1, 10, 'this text has no closing "'],
    ["status = 'it's'", 1, 15, "this text has no closing '"],
    // Characters that begin nothing.
    ['a & b', 1, 3, 'unexpected "&"'],
    ['a | b', 1, 3, 'unexpected "|"'],
    ['a ; b', 1, 3, 'unexpected ";"'],
    ['total > $5', 1, 9, 'unexpected "$"'],
    ['{{ total }} > 5', 1, 1, 'unexpected "{"'],
    ['é = “x”', 1, 5, 'unexpected "“"'],
    ['😀 = 1', 1, 1, 'unexpected "😀"'],
    ['.5 = a', 1, 1, `"." stands ${OPERAND}`],
    ['a = 5.', 1, 6, `"." stands ${END}`],
    ['a = 0x10', 1, 6, `"x10" stands ${END}`],
    ['a === b', 1, 5, `"=" stands ${OPERAND}`],
    ['a => 5', 1, 4, `">" stands ${OPERAND}`],
    ['a = 1 // x', 1, 8, `"/" stands ${OPERAND}`],
    // null, IS, IN, LIKE.
    ['total = NULL', 1, 9, 'null equals nothing; write IS NULL or IS NOT NULL'],
    ['null <> total', 1, 1, 'null equals nothing; write IS NULL or IS NOT NULL'],
    ['a IS', 1, 5, 'the condition ends where NULL was expected'],
    ['a IS NOT NULLL', 1, 10, '"NULLL" stands where NULL was expected'],
    ['a NOT 5', 1, 7, '"5" stands where IN or LIKE after NOT was expected'],
    ['a IN 5', 1, 6, '"5" stands where "(" and a list of values after IN was expected'],
    ['a NOT IN', 1, 9, 'the condition ends where "(" and a list of values after IN was expected'],
    ['a IN ()', 1, 7, `")" stands ${OPERAND}`],
    ['a IN (1', 1, 8, 'the condition ends where "," or ")" was expected'],
    ['a IN (1 2)', 1, 9, '"2" stands where "," or ")" was expected'],
    ['a LIKE 5', 1, 8, "LIKE needs a quoted pattern such as 'A%'"],
    ['a NOT LIKE b', 1, 12, "LIKE needs a quoted pattern such as 'A%'"],
    ["5 LIKE 'x'", 1, 1, 'LIKE needs text, and this yields a number'],
    // Comparisons do not chain.
    ['a = b = c', 1, 7, `"=" stands ${CHAIN}`],
    ['0 < a < 9', 1, 7, `"<" stands ${CHAIN}`],
    ['a = 1 IS NULL', 1, 7, `"IS" stands ${CHAIN}`],
    ["total LIKE 'x' = 1", 1, 16, `"=" stands ${CHAIN}`],
    // Paths.
    ['a.', 1, 3, 'the condition ends where a field name after "." was expected'],
    ['a.5', 1, 3, '"5" stands where a field name after "." was expected'],
    ['a[b]', 1, 3, `"b" stands ${POSITION}`],
    ['a[-1]', 1, 3, `"-" stands ${POSITION}`],
    ['a[1.5]', 1, 3, `"1.5" stands ${POSITION}`],
    ['a[1', 1, 4, 'the condition ends where "]" was expected'],
    ['a = 1 OR event.colour = 1', 1, 10, EVENT],
    ['entity.id = 1', 1, 1, 'entity has no "id"; it has type, key'],
    ['lookups = 1', 1, 1, 'lookups needs a name, such as lookups.customer.plan'],
    // Functions.
    ['FOO(a)', 1, 1, 'there is no function FOO()'],
    ['IN (1)', 1, 1, 'there is no function IN()'],
    ['constructor(a)', 1, 1, 'there is no function constructor()'],
    ['NOW(1) > a', 1, 1, 'NOW() takes 0 arguments, here is 1'],
    ['a AND CHANGED()', 1, 7, 'CHANGED() takes 1 argument, here are 0'],
    ["changed_to('a')", 1, 1, 'changed_to() takes 2 arguments, here is 1'],
    ['CHANGED(5)', 1, 9, `CHANGED() ${FIELD}`],
    ["CHANGED('')", 1, 9, `CHANGED() ${FIELD}`],
    ['HAS_FIELD(a + 1)', 1, 11, `HAS_FIELD() ${FIELD}`],
    ['CHANGED(event.kind)', 1, 9, 'CHANGED() needs a field of the row'],
    ['CHANGED(before.a)', 1, 9, 'CHANGED() needs a field of the row'],
    ['CHANGED(data)', 1, 9, 'CHANGED() needs a field of the row'],
    ["HAS_FIELD('event.colour')", 1, 11, EVENT],
    ["HAS_FIELD('lookups')", 1, 11, 'lookups needs a name, such as lookups.customer.plan'],
    ['MATCHES(a, b)', 1, 12, 'MATCHES() needs a quoted pattern'],
    ["MATCHES(a, '(')", 1, 12, 'this is not a regular expression of the linear-time kind: error parsing regexp: missing closing ): `(`'],
    [
      "MATCHES(a, '(?=x)')",
      1,
      12,
      'this is not a regular expression of the linear-time kind: error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
    ],
    ['STATUS_CHANGED_TO(NULL)', 1, 19, 'null equals nothing; write IS NULL or IS NOT NULL'],
    // Types that are known before any event.
    ["'a' = 5", 1, 7, 'text cannot be compared with a number'],
    ['true = 5', 1, 8, 'true or false cannot be compared with a number'],
    ["total = 5 AND 5 IN (1, 'a')", 1, 24, 'a number cannot be compared with text'],
    ["'a'", 1, 1, 'true or false is needed here, and this yields text'],
    ['a AND 5', 1, 7, 'true or false is needed here, and this yields a number'],
    ['NOT total + 1', 1, 5, 'true or false is needed here, and this yields a number'],
    ['AGE(a)', 1, 1, 'true or false is needed here, and this yields a duration'],
    ['AGE(a) > 5', 1, 10, 'a duration cannot be compared with a number'],
    ["AGE(a) > 'soon'", 1, 10, "'soon' is not a duration such as '1h' or '30s'"],
    ["AGE(a) > '1w'", 1, 10, "'1w' is not a duration such as '1h' or '30s'"],
    ["NOW() > '1h'", 1, 9, "'1h' is not a time"],
    ["'a' + 1 = 2", 1, 1, '+ needs numbers, and this is text'],
    ['-true = 1', 1, 2, '- needs numbers, and this is true or false'],
  ])('%j at %i:%i: %s', (source, line, column, message) => {
    const error = errorOf(source);
    expect({ line: error.line, column: error.column, message: error.message }).toEqual({ line, column, message });
  });
});

describe('limits', () => {
  it('accept 4,096 bytes and refuse 4,097, counted as bytes and not as characters', () => {
    const text = (bytes: number): string => `a = '${'x'.repeat(bytes - 6)}'`;
    expect(() => compileCondition(text(4_096))).not.toThrow();
    expect(errorOf(text(4_097))).toMatchObject({ line: 1, column: 1, message: 'a condition may have 4096 bytes, this one has 4097' });
    expect(errorOf(`a = '${'é'.repeat(2_046)}'`).message).toBe('a condition may have 4096 bytes, this one has 4098');
  });

  it('accept a nesting of 64 and refuse 65 at the place where it begins', () => {
    const nested = (depth: number): string => `${'('.repeat(depth - 1)}a${')'.repeat(depth - 1)}`;
    expect(() => compileCondition(nested(64))).not.toThrow();
    expect(errorOf(nested(65))).toMatchObject({ line: 1, column: 65, message: 'nested more than 64 deep' });
  });

  it('do not count parentheses that were closed again', () => {
    expect(() => compileCondition(Array(200).fill('(a)').join(' AND '))).not.toThrow();
  });
});

describe('the length of an error', () => {
  it.each([
    ['total = 5 status', 6],
    ['event.colour = 1', 12],
    ["status = 'paid", 5],
    ['total >', 1],
    ['a AND FOO(b)', 3],
  ])('in %j covers %i characters', (source, length) => {
    expect(errorOf(source).length).toBe(length);
  });
});
