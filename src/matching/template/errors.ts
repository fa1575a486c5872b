/** A template that cannot be read; line and column are 1-based within it. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

/** A template that gives nothing for this event: a value does not fit its target, or rendering takes too much. */
export class TemplateRenderError extends Error {
  override readonly name = 'TemplateRenderError';
}
