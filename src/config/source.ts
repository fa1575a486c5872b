import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, visit, type Document, type Node, type Pair, type Scalar } from 'yaml';
import { messageOf } from '../event/errors';
import { ConfigurationError, type Problem } from './problems';

const LARGEST = 4 * 1024 * 1024;

type PathStep = string | number;

/** An observers file as it stands: its text, its values with references resolved, and where each of them is. */
export class ConfigSource {
  readonly problems: Problem[] = [];
  readonly hash: string;
  private readonly document: Document;
  private readonly lines = new LineCounter();
  /** Texts as they were written, by node, for those that held references: a resolved value is never shown. */
  private readonly written = new Map<Node, string>();

  private constructor(
    readonly file: string,
    readonly text: string,
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    this.hash = createHash('sha256').update(text).digest('hex');
    this.document = parseDocument(text, { lineCounter: this.lines, version: '1.2', uniqueKeys: true, prettyErrors: false });
    for (const { pos, message } of [...this.document.errors, ...this.document.warnings]) this.problems.push(this.at(pos[0], '', message));
    if (this.problems.length === 0) this.resolveReferences();
  }

  /** @throws ConfigurationError when there is no such file, or it is not YAML (JSON is YAML too). */
  static read(file: string, env: Readonly<Record<string, string | undefined>>): ConfigSource {
    const refuse = (message: string): never => {
      throw new ConfigurationError([{ file, line: 0, column: 0, path: '', message }]);
    };
    let text: string;
    try {
      if (statSync(file).size > LARGEST) return refuse(`the file is larger than ${LARGEST / 1024 / 1024} MiB`);
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'ENOENT') return refuse('there is no such file; write one to begin with: fraiseql-observers init');
      return refuse(code === 'EISDIR' ? 'this is a folder, not a file' : `the file cannot be read: ${messageOf(error)}`);
    }
    const source = new ConfigSource(file, text, env);
    if (source.problems.length > 0) throw new ConfigurationError(source.problems);
    return source;
  }

  /** The values, with `${…}` resolved. */
  value(): unknown {
    return this.document.toJS({ maxAliasCount: 100 });
  }

  problem(path: readonly PathStep[], message: string, offset = 0): Problem {
    const node = this.nodeAt(path);
    return this.at((node?.range?.[0] ?? 0) + offset, pathText(path), message);
  }

  /** A key that should not be there: the place is the key's, not its value's. */
  keyProblem(path: readonly PathStep[], key: string, message: string): Problem {
    const parent = path.length === 0 ? this.document.contents : this.document.getIn(path, true);
    const pair = isMap(parent) ? (parent.items as Pair<Scalar>[]).find(({ key: candidate }) => candidate.value === key) : undefined;
    return this.at(pair?.key.range?.[0] ?? 0, pathText([...path, key]), message);
  }

  /**
   * A place within a text (line and column of a condition, say) as a place in the file. Exact for texts that stand in the file as they
   * are; where quotes, folding or references lie between, the beginning of the text.
   */
  problemWithin(path: readonly PathStep[], message: string, line: number, column: number): Problem {
    const node = this.nodeAt(path);
    if (!isScalar(node) || this.written.has(node)) return this.problem(path, message);
    const [start = 0] = node.range ?? [];
    const raw = this.text.slice(start, node.range?.[1]);
    if (
      line === 1 &&
      (node.type === 'PLAIN' || node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') &&
      raw.includes(String(node.value))
    ) {
      return this.at(start + raw.indexOf(String(node.value)) + column - 1, pathText(path), message);
    }
    const target = String(node.value).split('\n')[line - 1] ?? '';
    const found = node.type === 'BLOCK_LITERAL' ? raw.indexOf(target, raw.indexOf('\n')) : -1;
    return found === -1 ? this.problem(path, message) : this.at(start + found + column - 1, pathText(path), message);
  }

  /** How a value is written in the file, for messages: references stay references. */
  writtenAt(path: readonly PathStep[]): string {
    const node = this.nodeAt(path);
    return (node && this.written.get(node)) ?? (isScalar(node) ? String(node.value) : '');
  }

  private nodeAt(path: readonly PathStep[]): Node | undefined {
    for (let length = path.length; length > 0; length--) {
      const node = this.document.getIn(path.slice(0, length), true);
      if (node !== undefined) return node as Node;
    }
    return this.document.contents ?? undefined;
  }

  private at(offset: number, path: string, message: string): Problem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), path, message };
  }

  private resolveReferences(): void {
    visit(this.document, {
      Scalar: (key, node) => {
        if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
        const raw = node.value;
        this.written.set(node, raw);
        const resolved = this.resolve(raw, node);
        // An unquoted ${PORT} stands for what its value would be if it were written there: a number stays one.
        node.value =
          node.type === 'PLAIN' && /^\$\{[^}]*\}$/.test(raw) && /^(\d+(\.\d+)?|true|false)$/.test(resolved)
            ? (JSON.parse(resolved) as unknown)
            : resolved;
      },
    });
    visit(this.document, {
      Alias: (_key, node) => {
        if (isAlias(node) && node.resolve(this.document) === undefined)
          this.problems.push(this.at(node.range?.[0] ?? 0, '', `there is no anchor &${node.source}`));
      },
    });
  }

  /** Once, left to right: what comes out of a variable or a file is never looked at again. */
  private resolve(raw: string, node: Node): string {
    return raw.replace(/\$\$\{|\$\{([^}]*)\}?/g, (reference, inner: string | undefined) => {
      if (reference === '$${') return '${';
      const complain = (message: string): string => {
        this.problems.push(this.at(node.range?.[0] ?? 0, '', message));
        return '';
      };
      if (inner === undefined || !reference.endsWith('}')) return complain(`"\${" without "}"; a literal one is written "$\${"`);
      if (inner.startsWith('file:')) return this.readReferenced(inner.slice(5), complain);
      const [, name = '', fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? [];
      if (name === '') return complain(`\${${inner}} is not a reference: \${NAME}, \${NAME:-default} or \${file:PATH}`);
      const value = this.env[name];
      if (value !== undefined && value !== '') return value;
      return fallback ?? complain(`the environment variable ${name} is not set; give it, or write \${${name}:-default}`);
    });
  }

  private readReferenced(path: string, complain: (message: string) => string): string {
    try {
      return readFileSync(resolve(dirname(this.file), path), 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      return complain(`the file ${path} cannot be read: ${String((error as { code?: string }).code ?? messageOf(error))}`);
    }
  }
}

function pathText(path: readonly PathStep[]): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}
