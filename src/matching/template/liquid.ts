import {
  AssignTag,
  CaptureTag,
  Liquid,
  LiquidError,
  Output,
  toValueSync,
  type Context,
  type FilterImplOptions,
  type Template as LiquidNode,
  type Value,
} from 'liquidjs';
import Big from 'big.js';
import type { EntityEvent } from '../../event/entity-event';
import { isStackOverflow, messageOf } from '../../event/errors';
import { stringifyExactJson, type JsonValue } from '../../event/json-document';
import { jsonText } from '../../event/json-text';
import { columnOf, compilePath, lookupOf, PATH_ROOTS, UnknownPathError, type NamedColumn } from '../path';
import { OPERATORS } from './comparison';
import { DATE_FILTERS } from './date-filters';
import { TemplateError } from './errors';
import { LIST_FILTERS } from './list-filters';
import { makeExactWithin } from './literals';
import { NUMBER_FILTERS } from './number-filters';
import { MEMORY_LIMIT, nameIn, Output as CountedOutput, RENDER_LIMIT, textOf, type FilterHandler, type LiquidRendering } from './rendering';

const LONGEST_TEMPLATE = 100_000;
const NOT_OFFERED = ['include', 'render', 'layout', 'block'];

class Capture extends CaptureTag {
  override *render(rendering: LiquidRendering): Generator<unknown, void, string> {
    const { variable, templates } = this as unknown as { readonly variable: string; readonly templates: LiquidNode[] };
    rendering.captures++;
    const output = new CountedOutput(rendering);
    yield this.liquid.renderer.renderTemplates(templates, rendering, output);
    (rendering.bottom() as Record<string, unknown>)[variable] = output.buffer;
    rendering.captures--;
  }
}

/** Liquid's own is never strict: what it assigns from nowhere would be null afterwards, which is a value. */
class Assign extends AssignTag {
  override *render(rendering: Context): Generator<unknown, void> {
    const { key, value } = this as unknown as { readonly key: string; readonly value: Value };
    (rendering.bottom() as Record<string, unknown>)[key] = yield value.value(rendering, false);
  }
}

/**
 * @param encode applied to each output; `name` is what it is of, as it is written
 * @param jsonIsRaw whether what `| json` gives is written as it is
 */
export function createLiquid(encode: (text: string, name: () => string) => string, jsonIsRaw: boolean): Liquid {
  const liquid = new Liquid({
    parseLimit: LONGEST_TEMPLATE,
    renderLimit: RENDER_LIMIT,
    memoryLimit: MEMORY_LIMIT,
    operators: OPERATORS,
    ownPropertyOnly: true,
    strictFilters: true,
    // Where variables are strict: {% if %} may ask whether something is there, and {{ | default }} is for what is not.
    lenientIf: true,
    // An in-memory file system without files: templates come from the observers file and from nowhere else.
    templates: {},
    outputEscape(this: { readonly context: LiquidRendering; readonly token: { getText(): string } }, value: unknown) {
      const rendering = this.context;
      if (value === ALLOWED_EMPTY) return '';
      if (value === undefined || value === null) rendering.lacks(this.token.getText());
      return rendering.captures > 0 ? textOf(value) : encode(textOf(value), () => nameIn(this.token.getText()));
    },
  });
  for (const tag of NOT_OFFERED) delete liquid.tags[tag];
  liquid.registerTag('capture', Capture);
  liquid.registerTag('assign', Assign);
  // `raw` would switch the encoding off, which is what makes injection impossible.
  delete liquid.filters['raw'];
  const filters = { ...liquid.filters, ...NUMBER_FILTERS, ...DATE_FILTERS, ...LIST_FILTERS, jsonify, inspect: jsonify };
  for (const [name, filter] of Object.entries(filters))
    liquid.registerFilter(name, counted(name === 'default' ? handlerOf(filter) : keepingMissing(handlerOf(filter))));
  liquid.registerFilter('json', { raw: jsonIsRaw, handler: counted(json) } satisfies FilterImplOptions);
  return liquid;
}

/** What `| allow_empty` gives for a value that is empty or missing. */
const ALLOWED_EMPTY = { toString: () => '' };

/** For the paths of URLs, where a value that is empty is refused otherwise. */
export function allowEmpty(liquid: Liquid): Liquid {
  liquid.registerFilter('allow_empty', (value: unknown) => (textOf(value) === '' ? ALLOWED_EMPTY : value));
  return liquid;
}

function json(this: { readonly context: Context }, value: unknown): string {
  const text = stringifyExactJson((value ?? null) as JsonValue);
  (this.context as LiquidRendering).writes(text.length);
  return text;
}

/** With lines, where it is asked for and somebody may read it: a row of megabytes would have gigabytes of blanks. */
function jsonify(this: { readonly context: Context }, value: unknown, indent: unknown = 0): unknown {
  if (value === undefined) return value;
  const text = json.call(this, value);
  const spaces = Math.min(Math.max(Math.trunc(Number(indent)) || 0, 0), 10);
  return spaces === 0 || text.length > LONGEST_TEMPLATE ? text : jsonText(value, spaces);
}

function handlerOf(filter: FilterImplOptions): FilterHandler {
  return typeof filter === 'function' ? filter : filter.handler;
}

/** Each filter counts, those that Liquid does not count too; a list of a million takes as long as a loop over it. */
function counted(handler: FilterHandler): FilterHandler {
  return function (value: unknown, ...args: unknown[]): unknown {
    const { memoryLimit, renderLimit } = this.context;
    const result: unknown = handler.call(this, value, ...args);
    renderLimit.check(performance.now());
    // What is JSON is counted as output is.
    if (typeof result === 'string' && handler !== json) memoryLimit.use(result.length);
    return result;
  };
}

/** Most filters make '' of no value, and the output would not count as missing. */
function keepingMissing(handler: FilterHandler): FilterHandler {
  return function (value: unknown, ...args: unknown[]): unknown {
    const result: unknown = handler.call(this, value, ...args);
    return result === '' && (value === undefined || value === null) ? value : result;
  };
}

/** `1e3`, `.5`, `1_000`, `0x10`: Liquid takes them for names, and a price times nothing would be 0. */
const MEANT_FOR_NUMBER = /^-?(?:\d+(?:\.\d+)?e[+-]?\d*|[\d_]+|0x[\da-f]+)$/i;

/** What a template takes from an event and its observer. */
export class Uses {
  readonly lookups = new Set<string>();
  readonly columns: NamedColumn[] = [];

  /** @param path without what is only known when it is rendered @throws UnknownPathError @throws TemplateError */
  add(path: readonly (string | number)[], { row, col }: { readonly row: number; readonly col: number }): void {
    if (MEANT_FOR_NUMBER.test(path.join('.')))
      throw new TemplateError(
        `${path.join('.')} is no number in a template; write it with digits and a point, such as 1000 or 0.5`,
        row,
        col,
      );
    if ((PATH_ROOTS as readonly unknown[]).includes(path[0])) compilePath(path);
    const lookup = lookupOf(path);
    if (lookup !== null) this.lookups.add(lookup);
    const name = columnOf(path);
    if (name !== null && !isOfLiquid(path)) this.columns.push({ name, use: 'value', line: row, column: col });
  }
}

/** `data.size` is how many columns there are, and `offset: continue` where the last loop ended. */
function isOfLiquid([first, second]: readonly (string | number)[]): boolean {
  return (second === 'size' && (first === 'data' || first === 'before')) || (first === 'continue' && second === undefined);
}

/** @param uses gets what it takes @throws TemplateError */
export function parseLiquid(liquid: Liquid, source: string, uses: Uses): LiquidNode[] {
  try {
    const nodes = liquid.parse(source);
    nameOutputs(nodes);
    const { globals } = liquid.analyzeSync(nodes, { partials: false });
    for (const { segments, location } of Object.values(globals).flat()) uses.add(knownSteps(segments), location);
    makeExactWithin(nodes);
    return nodes;
  } catch (error) {
    if (error instanceof TemplateError) throw error;
    if (error instanceof UnknownPathError) throw new TemplateError(error.message, ...positionOf(source, error.message));
    if (isStackOverflow(error instanceof LiquidError ? (error as { originalError?: unknown }).originalError : error))
      throw new TemplateError('the template is nested too deep', 1, 1);
    if (error instanceof LiquidError) {
      const [line, column] = error.token.getPosition() as [number, number];
      throw new TemplateError(firstLine(error), line, column);
    }
    // Its limits are reported as plain errors.
    throw new TemplateError(messageOf(error), 1, 1);
  }
}

/** `data[key].total` names no column before it is rendered. */
function knownSteps(segments: readonly unknown[]): (string | number)[] {
  const known = (step: unknown): step is string | number => typeof step === 'string' || typeof step === 'number';
  const end = segments.findIndex((step) => !known(step));
  return (end === -1 ? segments : segments.slice(0, end)).filter(known);
}

/** Liquid's own last filter of an output, which escapes it, does not know whose it is. */
function nameOutputs(nodes: readonly LiquidNode[]): void {
  for (const node of nodes) {
    if (node instanceof Output) {
      const escape = node.value.filters.at(-1) as { token: unknown; readonly raw: boolean } | undefined;
      if (escape !== undefined && !escape.raw) escape.token = node.token;
    }
    const within = (node as LiquidNode).children?.(false, true);
    if (within !== undefined) nameOutputs(toValueSync(within));
  }
}

/** Where the first `{{ event.… }}` or `{{ lookups.… }}` that the message is about stands; liquid's analysis gives names, not places. */
function positionOf(source: string, message: string): [number, number] {
  const root = message.split(' ')[0] ?? '';
  // Within a tag: the same word may stand in the text before it.
  const tag = new RegExp(`\\{[{%][^}]*?\\b(?=${root}\\b)`).exec(source);
  const before = source.slice(0, tag === null ? 0 : tag.index + tag[0].length).split('\n');
  return [before.length, (before.at(-1)?.length ?? 0) + 1];
}

/** The names that a template may begin a path with: those of conditions. */
export function scopeOf(event: EntityEvent): object {
  const data = event.data?.spelled ?? null;
  const row = data !== null && typeof data === 'object' && !Array.isArray(data) && !(data instanceof Big) ? data : {};
  const { kind, entityType, entityKey, tenant } = event;
  return {
    ...row,
    data,
    before: event.before?.spelled ?? null,
    entity: { type: entityType, key: entityKey },
    // Null where nothing was asked: strict templates do not take that for a path that leads nowhere.
    lookups: event.lookups,
    event: {
      id: event.id,
      kind,
      type: compilePath(['event', 'type'])(event),
      entity_type: entityType,
      entity_key: entityKey,
      tenant_id: tenant,
      timestamp: event.timestamp,
      sequence: event.changeNumber,
      changed: event.changed,
      collapsed: event.collapsed ?? null,
    },
  };
}

export function firstLine(error: Error): string {
  return error.message.split('\n')[0]?.replace(/, line:\d+, col:\d+$/, '') ?? error.message;
}
