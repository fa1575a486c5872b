import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isAlias, isCollection, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node, type Pair, type Scalar } from 'yaml'; // prettier-ignore
import { messageOf } from '../event/errors';
import { ConfigurationError, type Problem } from './problems';
import { TELLING_LENGTH, type FilledText } from './redaction';
import { resolveReferences } from './references';
import { hashOfVersion } from './rules';
import { offsetInScalar } from './scalar-position';

const LARGEST = 4 * 1024 * 1024;
/** Each alias is looked up by a walk through the file, and may stand for a tree of others: more than a person writes is an attack. */
const MOST_ALIASES = 1_000;
const LARGEST_EXPANSION = 10_000;

type PathStep = string | number;

/** An observers file as it stands: its text, its values with references resolved, and where each of them is. */
export class ConfigSource {
  /** Under which it goes on record. */
  readonly hash: string;
  /** References that could not be resolved. The rest of the file can still be checked; what stands there cannot. */
  readonly unresolved: Problem[] = [];
  private readonly document: Document;
  private readonly content: unknown;
  private readonly lines = new LineCounter();
  /** Texts as they were written, by node, for those that held references; and which of these brought values from outside. */
  private readonly written = new Map<Node, { readonly raw: string; readonly outside: readonly string[] }>();
  /** Texts whose references are filled in: what is shown of anything made of them must not show what came from outside. */
  readonly filled: FilledText[] = [];
  /** What messages say in place of values that came out of references. */
  private readonly hidden = new Map<string, string>();

  private constructor(
    readonly file: string,
    readonly text: string,
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    this.hash = hashOfVersion(text);
    this.document = parseDocument(text, { lineCounter: this.lines, version: '1.2', uniqueKeys: true, prettyErrors: false });
    const syntax = this.syntaxProblems();
    const broken = syntax.length > 0 ? syntax : this.structureProblems();
    if (broken.length > 0) throw new ConfigurationError(broken);
    this.resolveReferences();
    try {
      this.content = this.document.toJS({ maxAliasCount: LARGEST_EXPANSION });
    } catch (error) {
      // The only error that is left, for every alias is known to resolve: the number of values they stand for.
      if (!(error instanceof ReferenceError)) throw error;
      throw new ConfigurationError([this.at(0, '', 'the aliases (*name) of this file stand for too many values')]);
    }
  }

  /** @throws ConfigurationError when there is no such file, or it is not YAML (JSON is YAML too). */
  static read(file: string, env: Readonly<Record<string, string | undefined>>): ConfigSource {
    const refuse = (message: string): never => {
      throw new ConfigurationError([{ file, line: 0, column: 0, path: '', message }]);
    };
    let text: string;
    try {
      if (statSync(file).size > LARGEST) return refuse(`the file is larger than ${LARGEST / 1024 / 1024} MiB`);
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      const { code } = error as { code?: string };
      if (code === 'ENOENT') return refuse('there is no such file; write one to begin with: fraiseql-observers init');
      if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return refuse('the file is not UTF-8');
      return refuse(code === 'EISDIR' ? 'this is a folder, not a file' : `the file cannot be read: ${messageOf(error)}`);
    }
    return new ConfigSource(file, text, env);
  }

  /**
   * A text that stood in the file once; its `${file:…}` are looked for where the file is now.
   *
   * @throws ConfigurationError when it is not YAML
   */
  static of(file: string, text: string, env: Readonly<Record<string, string | undefined>>): ConfigSource {
    return new ConfigSource(file, text, env);
  }

  /** The values, with `${…}` resolved. */
  value(): unknown {
    return this.content;
  }

  problem(path: readonly PathStep[], message: string): Problem {
    return this.at(this.locate(path).place?.range?.[0] ?? 0, pathText(path), message);
  }

  /** A key that should not be there: the place is the key's, not its value's. */
  keyProblem(path: readonly PathStep[], key: string, message: string): Problem {
    const { node } = this.locate(path);
    const pair = isMap(node) ? (node.items as Pair<Scalar>[]).find((candidate) => String(candidate.key.value) === key) : undefined;
    return this.at(pair?.key.range?.[0] ?? node?.range?.[0] ?? 0, pathText([...path, key]), message);
  }

  /**
   * What a compiler says about a text, at its place in the file. Where references are filled in, neither reason nor place is of this
   * file: the reason is withheld, for it quotes the text and with it a piece of the value.
   */
  problemWithin(path: readonly PathStep[], message: string, line: number, column: number): Problem {
    const { node } = this.locate(path);
    if (!isScalar(node)) return this.problem(path, message);
    const written = this.written.get(node);
    if (written !== undefined && written.outside.length === 0) return this.problem(path, message);
    if (written !== undefined) {
      const withheld = `with ${written.outside.join(', ')} filled in, this text cannot be read at its line ${line}, column ${column}; the reason is not shown, for it quotes the value`;
      return this.problem(path, withheld);
    }
    const [start = 0, end] = node.range ?? [];
    const offset = offsetInScalar(this.text.slice(start, end), String(node.value), node.type, line, column);
    return this.at(start + (offset ?? 0), pathText(path), message);
  }

  /** The same of one word in a text. Where it came out of a reference, what is said about it is withheld: it is a piece of the value. */
  wordProblem(path: readonly PathStep[], word: string, message: string, line: number, column: number): Problem {
    const { node } = this.locate(path);
    const written = isScalar(node) ? this.written.get(node) : undefined;
    if (written === undefined) return this.problemWithin(path, message, line, column);
    if (written.outside.length === 0 || written.raw.includes(word)) return this.problem(path, message);
    const withheld = `with ${written.outside.join(', ')} filled in, this text names a column that is not there; it is not shown, for it is a piece of the value`;
    return this.problem(path, withheld);
  }

  /** How a value is written in the file, for messages: references stay references. */
  writtenAt(path: readonly PathStep[]): string {
    const { node } = this.locate(path);
    return (node && this.written.get(node)?.raw) ?? (isScalar(node) ? String(node.value) : '');
  }

  /** Whether something that stands at the path, or below it, is filled in from outside the file. */
  hasReferences(path: readonly PathStep[]): boolean {
    const { node } = this.locate(path);
    const texts = isScalar(node) ? [node] : isCollection(node) ? node.items.map((item) => this.follow(item as Node)) : [];
    return texts.some((text) => text !== undefined && this.written.has(text));
  }

  /** Whether a problem is about a value that is not known because its reference is unresolved: that has been told already. */
  isUnresolved({ line, column }: Problem): boolean {
    return this.unresolved.some((problem) => problem.line === line && problem.column === column);
  }

  /** @returns what stands at the path, aliases followed; and the place that is nearest to it when nothing does */
  private locate(path: readonly PathStep[]): { node: Node | undefined; place: Node | undefined } {
    let node = this.follow(this.document.contents);
    let place = node;
    for (const step of path) {
      node = isCollection(node) ? this.follow(node.get(step, true)) : undefined;
      place = node ?? place;
    }
    return { node, place };
  }

  private follow(node: Node | null | undefined): Node | undefined {
    return (isAlias(node) ? node.resolve(this.document) : node) ?? undefined;
  }

  private at(offset: number, path: string, message: string): Problem {
    const { line, col } = this.lines.linePos(offset);
    let shown = message;
    for (const [value, reference] of this.hidden) shown = shown.replaceAll(value, () => reference);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), path, message: shown };
  }

  private syntaxProblems(): Problem[] {
    const { errors, warnings } = this.document;
    const tooDeep = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
    // The parser gives up in the middle: what it says besides is nonsense.
    if (tooDeep !== undefined) return [this.at(tooDeep.pos[0], '', 'the file is nested too deeply')];
    // `{ url: ${X} }`: the brace begins a mapping there, and all that follows is askew.
    const bare = errors.find(({ pos }) => this.text.slice(pos[0] - 1, pos[0] + 1) === '${');
    if (bare !== undefined) return [this.at(bare.pos[0] - 1, '', 'within { } and [ ] a reference is quoted: "${NAME}"')];
    return [...errors, ...warnings].map(({ pos, message }) => this.at(pos[0], '', message));
  }

  /** What YAML allows and a configuration has no use for. */
  private structureProblems(): Problem[] {
    const problems: Problem[] = [];
    let aliases = 0;
    visit(this.document, {
      Pair: (_key, { key }) => {
        const start = (key as Node | null)?.range?.[0] ?? 0;
        if (!isScalar(key)) problems.push(this.at(start, '', 'a key is a plain text, not a list, a mapping or an alias'));
        // It would set the prototype of what is read into.
        else if (key.value === '__proto__') problems.push(this.at(start, '', 'this key is not possible'));
      },
      Alias: (_key, alias, ancestors) => {
        const start = alias.range?.[0] ?? 0;
        if (++aliases > MOST_ALIASES) {
          problems.push(this.at(start, '', `there are more than ${MOST_ALIASES} aliases (*name)`));
          return visit.BREAK;
        }
        const target = alias.resolve(this.document);
        if (target === undefined) problems.push(this.at(start, '', `there is no anchor &${alias.source} before this alias`));
        else if (ancestors.includes(target)) problems.push(this.at(start, '', `*${alias.source} contains itself`));
        return undefined;
      },
    });
    return problems;
  }

  private resolveReferences(): void {
    visit(this.document, {
      Scalar: (key, node, ancestors) => {
        if (typeof node.value !== 'string' || !node.value.includes('${')) return;
        const path = pathText(pathOf(ancestors, node));
        const start = node.range?.[0] ?? 0;
        if (key === 'key') {
          this.unresolved.push(this.at(start, path, 'references are filled in in values, not in keys'));
          return;
        }
        this.fillIn(node, node.value, start, path);
      },
    });
  }

  private fillIn(node: Scalar, raw: string, start: number, path: string): void {
    const { text, fromOutside, problems } = resolveReferences(raw, this.env, dirname(this.file));
    this.written.set(node, { raw, outside: fromOutside.map(({ reference }) => reference) });
    this.unresolved.push(...problems.map((message) => this.at(start, path, message)));
    if (problems.length > 0) return;
    this.filled.push({ raw, text, outside: fromOutside });
    if (fromOutside.length > 0 && text !== '') this.hidden.set(`"${text}"`, `"${raw}"`);
    for (const { reference, value } of fromOutside) if (value.length >= TELLING_LENGTH) this.hidden.set(value, reference);
    // An unquoted ${PORT} stands for what its value would be if it were written there: a number stays one.
    const bare = node.type === 'PLAIN' && /^\$\{[^}]*\}$/.test(raw) && /^(0|[1-9]\d*)(\.\d+)?$|^(true|false)$/.test(text);
    node.value = bare ? (JSON.parse(text) as unknown) : text;
  }
}

function pathOf(ancestors: readonly unknown[], node: Node): PathStep[] {
  return [...ancestors, node].flatMap((ancestor, i, all): PathStep[] => {
    if (isPair(ancestor)) return [String((ancestor.key as Scalar).value)];
    return isSeq(ancestor) ? [ancestor.items.indexOf(all[i + 1])] : [];
  });
}

function pathText(path: readonly PathStep[]): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}
