import {
  AssignTag,
  CaptureTag,
  Context,
  Liquid,
  LiquidError,
  Output,
  toValueSync,
  type FilterImplOptions,
  type Scope,
  type Template as LiquidNode,
  type Value,
} from 'liquidjs';
import Big from 'big.js';
import type { EntityEvent } from '../../event/entity-event';
import { messageOf } from '../../event/errors';
import { stringifyExactJson, type JsonValue } from '../../event/json-document';
import { columnOf, compilePath, lookupOf, PATH_ROOTS, UnknownPathError, type NamedColumn } from '../path';
import { TemplateError } from './errors';

/**
 * What stops a mistake from stalling the process: 100,000 characters of source, half a second for one rendering, and 16,000,000
 * characters and list elements made by filters and ranges.
 */
const LIMITS = { parseLimit: 100_000, renderLimit: 500, memoryLimit: 16_000_000 };
const NOT_OFFERED = ['include', 'render', 'layout', 'block'];

/** What one rendering knows and counts. */
export class LiquidRendering extends Context {
  /** Outputs that had no value and left nothing behind, as they are written. */
  missing: readonly string[] = NONE;
  /** Captures that are open. What they collect becomes a value, which is encoded where that is output. */
  captures = 0;

  constructor(liquid: Liquid, scope: object, strict: boolean, limits?: Pick<Context, 'memoryLimit' | 'renderLimit'>) {
    super(scope, liquid.options, { sync: true, strictVariables: strict }, { ...limits, liquid });
  }

  /** @param source the output or tag with its braces */
  lacks(source: string): void {
    const name = nameIn(source);
    if (this.missing === NONE) this.missing = [name];
    else (this.missing as string[]).push(name);
  }

  /** A number has no fields, those of Big included. */
  override readProperty(from: Scope, key: Parameters<Context['readProperty']>[1]): unknown {
    return from instanceof Big ? undefined : super.readProperty(from, key);
  }

  override spawn(scope: object = {}): Context {
    return new LiquidRendering(this.liquid as Liquid, scope, this.strictVariables, {
      memoryLimit: this.memoryLimit,
      renderLimit: this.renderLimit,
    });
  }
}

const NONE: readonly string[] = [];

/** `{{- customer.email | upcase }}` is `customer.email`. */
function nameIn(source: string): string {
  const [, name = source] = /^\{[{%]-?\s*(?:echo\s+)?([^|]*?)\s*(?:\||-?[%}]\})/.exec(source) ?? [];
  return name;
}

class Capture extends CaptureTag {
  override *render(rendering: LiquidRendering): Generator<unknown, void, string> {
    rendering.captures++;
    yield* super.render(rendering);
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
    ...LIMITS,
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
  for (const [name, filter] of Object.entries(liquid.filters))
    liquid.registerFilter(name, name === 'default' ? filter : keepingMissing(filter));
  const handler = (value: unknown): string => stringifyExactJson((value ?? null) as JsonValue);
  liquid.registerFilter('json', { raw: jsonIsRaw, handler } satisfies FilterImplOptions);
  return liquid;
}

/** What `| allow_empty` gives for a value that is empty or missing. */
const ALLOWED_EMPTY = { toString: () => '' };

/** For the paths of URLs, where a value that is empty is refused otherwise. */
export function allowEmpty(liquid: Liquid): Liquid {
  liquid.registerFilter('allow_empty', (value: unknown) => (textOf(value) === '' ? ALLOWED_EMPTY : value));
  return liquid;
}

/** Most filters make '' of no value, and the output would not count as missing. */
function keepingMissing(filter: FilterImplOptions): FilterImplOptions {
  const handler = typeof filter === 'function' ? filter : filter.handler;
  return function (value: unknown, ...args: unknown[]): unknown {
    const result: unknown = handler.call(this, value, ...args);
    return result === '' && (value === undefined || value === null) ? value : result;
  };
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return stringifyExactJson(value as JsonValue);
}

/** What a template takes from an event and its observer. */
export class Uses {
  readonly lookups = new Set<string>();
  readonly columns: NamedColumn[] = [];

  /** @param path without what is only known when it is rendered @throws UnknownPathError */
  add(path: readonly (string | number)[], { row, col }: { readonly row: number; readonly col: number }): void {
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
    return nodes;
  } catch (error) {
    if (error instanceof UnknownPathError) throw new TemplateError(error.message, ...positionOf(source, error.message));
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
  const data = event.data?.value ?? null;
  const row = data !== null && typeof data === 'object' && !Array.isArray(data) && !(data instanceof Big) ? data : {};
  const { kind, entityType, entityKey, tenant } = event;
  return {
    ...row,
    data,
    before: event.before?.value ?? null,
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
    },
  };
}

export function firstLine(error: Error): string {
  return error.message.split('\n')[0]?.replace(/, line:\d+, col:\d+$/, '') ?? error.message;
}
