import { compileCondition, ConditionSyntaxError } from '../matching/condition/condition';
import { TemplateError } from '../matching/template/template';
import type { Problem } from './problems';
import type { ConfigSource } from './source';

export type Path = readonly (string | number)[];

/** What is wrong with a file, gathered with its places. */
export class Complaints {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  constructor(readonly source: ConfigSource) {}

  condition(path: Path, source: string): void {
    try {
      compileCondition(source);
    } catch (error) {
      if (!(error instanceof ConditionSyntaxError)) throw error;
      this.problems.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  template(path: Path, compile: () => unknown): void {
    try {
      compile();
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.problems.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  unique(names: readonly string[], path: (position: number) => Path, what: string): void {
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i) this.complain(path(i), `there is another ${what} "${name}"`);
    });
  }

  check(path: Path, message: string | null): void {
    if (message !== null) this.complain(path, message);
  }

  complain(path: Path, message: string): void {
    this.problems.push(this.source.problem(path, message));
  }
}
