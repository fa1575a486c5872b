/** A condition that cannot be read: says where, what stands there and what was expected. */
export class ConditionSyntaxError extends Error {
  override readonly name = 'ConditionSyntaxError';
  /** 1-based, within the condition. */
  readonly line: number;
  readonly column: number;
  /** Length of the offending part, at least 1. */
  readonly length: number;

  constructor(source: string, start: number, end: number, message: string) {
    super(message);
    const { line, column } = placeOf(source, start);
    this.line = line;
    this.column = column;
    this.length = Math.max(1, end - start);
  }
}

/** 1-based. */
export function placeOf(source: string, start: number): { readonly line: number; readonly column: number } {
  const before = source.slice(0, start).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** A condition that has no answer for this event: it dead-letters the delivery and never counts as false. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}
