import { compileCondition, ConditionSyntaxError } from '../matching/condition/condition';
import type { NamedColumn } from '../matching/path';
import { TemplateError, type Template } from '../matching/template/template';
import { MentionCollector } from './column-mentions';
import { didYouMean, type Problem } from './problems';
import type { ConfigSource } from './source';

export type Path = readonly (string | number)[];

/** What is wrong with a file, gathered with its places. */
export class FileProblems {
  readonly found: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly mentions = new MentionCollector();
  /** Look-ups of the observer that is being linked; null elsewhere, where no look-up may stand. */
  lookups: { readonly listed: ReadonlySet<string>; readonly known: readonly string[]; readonly used: Set<string> } | null = null;

  constructor(readonly source: ConfigSource) {}

  condition(path: Path, source: string, timesAsText: boolean): void {
    try {
      const { lookups, columns } = compileCondition(source, timesAsText);
      this.checkLookups(path, lookups);
      this.mention(path, columns, false);
    } catch (error) {
      if (!(error instanceof ConditionSyntaxError)) throw error;
      this.found.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  template(path: Path, compile: () => Pick<Template, 'lookups' | 'columns'>): void {
    try {
      const { lookups, columns } = compile();
      this.checkLookups(path, lookups);
      this.mention(path, columns, true);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.found.push(this.source.problemWithin(path, error.message, error.line, error.column));
    }
  }

  /** A text that is checked already, and is compiled once more for what lies between its parts. */
  whole(path: Path, compile: () => unknown): void {
    this.template(path, () => {
      compile();
      return { lookups: [], columns: [] };
    });
  }

  private mention(path: Path, columns: readonly NamedColumn[], template: boolean): void {
    for (const { name, use, line, column } of columns) {
      const tell = (message: string): Problem => this.source.wordProblem(path, name, message, line, column);
      this.mentions.note({ name, use, template, tell });
    }
  }

  private checkLookups(path: Path, names: readonly string[]): void {
    for (const name of names) {
      if (this.lookups === null) this.add(path, 'look-ups belong to an observer: they stand in its condition and its actions');
      else if (this.lookups.listed.has(name)) this.lookups.used.add(name);
      else if (this.lookups.known.includes(name)) this.add(path, `the observer does not list the look-up: give lookups: [${name}]`);
      else this.add(path, `there is no look-up "${name}"${didYouMean(name, this.lookups.known)}`);
    }
  }

  unique(names: readonly string[], path: (position: number) => Path, what: string): void {
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i) this.add(path(i), `there is another ${what} "${name}"`);
    });
  }

  check(path: Path, message: string | null): void {
    if (message !== null) this.add(path, message);
  }

  add(path: Path, message: string): void {
    this.found.push(this.source.problem(path, message));
  }
}
