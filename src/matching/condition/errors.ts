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
    const before = source.slice(0, start).split('\n');
    this.line = before.length;
    this.column = (before.at(-1)?.length ?? 0) + 1;
    this.length = Math.max(1, end - start);
  }
}

/** A condition that has no answer for this event: it dead-letters the delivery and never counts as false. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}
