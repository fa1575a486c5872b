import { Liquid, LiquidError, type FilterImplOptions, type Template as LiquidNode } from 'liquidjs';
import Big from 'big.js';
import type { BodyTemplate } from '../../event/definitions';
import type { EntityEvent } from '../../event/entity-event';
import { messageOf } from '../../event/errors';
import { stringifyExactJson, type JsonValue } from '../../event/json-document';
import { compilePath, PATH_ROOTS, UnknownPathError } from '../path';

/** Where the rendered text goes, which decides how values are encoded. */
export type TemplateTarget = 'json' | 'header' | 'url' | 'text';

export interface Rendered {
  readonly text: string;
  /** Outputs that had no value and left nothing behind. */
  readonly missing: number;
}

/** Compiled once per configuration version. What came from data is never expanded again. */
export interface Template {
  /** @throws TemplateRenderError when a value does not fit the target */
  render(event: EntityEvent): Rendered;
}

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

export class TemplateRenderError extends Error {
  override readonly name = 'TemplateRenderError';
}

// A template may write a megabyte and walk 100,000 steps; beyond that it is a mistake, and it must not stall the process.
const LIMITS = { parseLimit: 100_000, renderLimit: 500, memoryLimit: 16_000_000 };
/** The filter that a structure's whole-value outputs get in place of `json`. */
const JSON_VALUE = 'json_value';
const NOT_OFFERED = ['include', 'render', 'layout', 'block'];

// Rendering is synchronous, so one counter serves all.
let missingOutputs = 0;

const ENGINES: Readonly<Record<TemplateTarget | 'structure', Liquid>> = {
  // Within a structure `json` gives text like any other output; only where it is the whole value it stands for the value itself.
  structure: engine((text) => JSON.stringify(text).slice(1, -1), false, true),
  json: engine((text) => JSON.stringify(text).slice(1, -1), true),
  header: engine(headerSafe, false),
  url: engine(urlSafe, false),
  text: engine((text) => text, false),
};

/** @throws TemplateError */
export function compileTemplate(source: string, target: TemplateTarget): Template {
  return compileFor(source, target);
}

function compileFor(source: string, target: TemplateTarget | 'structure'): Template {
  if (!hasTags(source)) return constant(source);
  const liquid = ENGINES[target];
  const nodes = parse(liquid, source);
  return {
    render(event) {
      missingOutputs = 0;
      try {
        const text = String(liquid.renderSync(nodes, scopeOf(event)));
        return { text, missing: missingOutputs };
      } catch (error) {
        throw new TemplateRenderError(error instanceof LiquidError ? firstLine(error) : messageOf(error), { cause: error });
      }
    },
  };
}

/**
 * A body: a text, or a structure whose strings are templates. In a structure a string that is nothing but one output with the
 * `json` filter stands for the value itself: `total: "{{ data.total | json }}"` gives a number.
 *
 * @param json whether the body is JSON, so that values are encoded as JSON text and the result is checked
 * @throws TemplateError
 */
export function compileBody(body: BodyTemplate, json: boolean): Template {
  // A structure is JSON whatever the content type says.
  const structured = typeof body !== 'string';
  if (!structured && !json) return compileTemplate(body, 'text');
  const source = structured ? jsonTemplate(body) : body;
  const template = compileFor(source, structured ? 'structure' : 'json');
  if (!hasTags(source) && !isJson(source)) throw new TemplateError('the body is not JSON', 1, 1);
  return {
    render(event) {
      const rendered = template.render(event);
      // Without the parser's own words: they quote the payload.
      if (!isJson(rendered.text)) throw new TemplateRenderError('the body is not JSON once it is rendered');
      return rendered;
    },
  };
}

const WHOLE_JSON_OUTPUT = /^\s*(\{\{-?[^{}]*\|\s*)json(\s*-?\}\})\s*$/;
const TAG = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g;

function jsonTemplate(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonTemplate).join(',')}]`;
  if (typeof value === 'string') {
    const whole = WHOLE_JSON_OUTPUT.exec(value);
    return whole ? `${whole[1]}${JSON_VALUE}${whole[2]}` : quotedTemplate(value);
  }
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, member]) => `${quotedTemplate(key)}:${jsonTemplate(member)}`)
      .join(',')}}`;
  }
  return JSON.stringify(value);
}

/** A JSON string in which the text is escaped and the tags are left alone. */
function quotedTemplate(text: string): string {
  const literals = text.split(TAG).map((literal) => JSON.stringify(literal).slice(1, -1));
  const tags = text.match(TAG) ?? [];
  return `"${literals.map((literal, i) => literal + (tags[i] ?? '')).join('')}"`;
}

function hasTags(source: string): boolean {
  return source.includes('{{') || source.includes('{%');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function engine(encode: (text: string) => string, jsonIsRaw: boolean, wholeValues = false): Liquid {
  const liquid = new Liquid({
    ...LIMITS,
    ownPropertyOnly: true,
    strictFilters: true,
    // An in-memory file system without files: templates come from the observers file and from nowhere else.
    templates: {},
    outputEscape: (value: unknown) => {
      if (value === undefined || value === null) missingOutputs++;
      return encode(textOf(value));
    },
  });
  for (const tag of NOT_OFFERED) delete liquid.tags[tag];
  // `raw` would switch the encoding off, which is what makes injection impossible.
  delete liquid.filters['raw'];
  const handler = (value: unknown): string => stringifyExactJson((value ?? null) as JsonValue);
  liquid.registerFilter('json', { raw: jsonIsRaw, handler } satisfies FilterImplOptions);
  if (wholeValues) liquid.registerFilter(JSON_VALUE, { raw: true, handler } satisfies FilterImplOptions);
  return liquid;
}

function parse(liquid: Liquid, source: string): LiquidNode[] {
  try {
    const nodes = liquid.parse(source);
    for (const [root, ...rest] of liquid.globalVariableSegmentsSync(nodes)) {
      if (!(PATH_ROOTS as readonly unknown[]).includes(root)) continue;
      compilePath([String(root), ...rest.filter((step) => typeof step === 'string' || typeof step === 'number')]);
    }
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

/** Where the first `{{ event.… }}` or `{{ lookups.… }}` that the message is about stands; liquid's analysis gives names, not places. */
function positionOf(source: string, message: string): [number, number] {
  const root = message.startsWith('look-ups') ? 'lookups' : (message.split(' ')[0] ?? '');
  // Within a tag: the same word may stand in the text before it.
  const tag = new RegExp(`\\{[{%][^}]*?\\b(?=${root}\\b)`).exec(source);
  const before = source.slice(0, tag === null ? 0 : tag.index + tag[0].length).split('\n');
  return [before.length, (before.at(-1)?.length ?? 0) + 1];
}

function scopeOf(event: EntityEvent): object {
  const data = event.data?.value ?? null;
  const row = data !== null && typeof data === 'object' && !Array.isArray(data) && !(data instanceof Big) ? data : {};
  const { kind, entityType, entityKey, tenant } = event;
  return {
    ...row,
    data,
    before: event.before?.value ?? null,
    entity: { type: entityType, key: entityKey },
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

function constant(text: string): Template {
  const rendered = { text, missing: 0 };
  return { render: () => rendered };
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return stringifyExactJson(value as JsonValue);
}

/** Encoded, it cannot leave its place in the path; but `.` and `..` need no encoding and would. */
function urlSafe(text: string): string {
  if (text === '.' || text === '..') throw new TemplateRenderError('a value in a URL is "." or "..", which would name another resource');
  return encodeURIComponent(text.toWellFormed());
}

/** A header may not hold line breaks (they would begin another header); what is not printable ASCII is percent-encoded UTF-8. */
function headerSafe(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is refused
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) throw new TemplateRenderError('a header value holds a line break or another control character');
  return text.toWellFormed().replace(/[^\t\x20-\x7e]+/g, encodeURIComponent);
}

function firstLine(error: Error): string {
  return error.message.split('\n')[0]?.replace(/, line:\d+, col:\d+$/, '') ?? error.message;
}
