import Big from 'big.js';
import { Context, type FilterImplOptions, type Liquid, type Scope } from 'liquidjs';
import { stringifyExactJson, type JsonValue } from '../../event/json-document';

/**
 * What stops a mistake from stalling the process: half a second for one rendering, 16,000,000 characters and list elements made by filters
 * and ranges, and 64,000,000 characters of output and JSON (an event has 16 MiB, and may be output as JSON twice).
 */
export const RENDER_LIMIT = 500;
export const MEMORY_LIMIT = 16_000_000;
const OUTPUT_LIMIT = 64_000_000;
/** How many steps pass between two looks at the clock, which costs as much as some steps. */
const STEPS = 128;

/** How Liquid calls a filter; it exports no name for it. */
export type FilterHandler = Extract<FilterImplOptions, (...args: never[]) => unknown>;

const NONE: readonly string[] = [];

/** What one rendering knows and counts. */
export class LiquidRendering extends Context {
  /** Outputs that had no value and left nothing behind, as they are written. */
  missing: readonly string[] = NONE;
  /** Captures that are open. What they collect becomes a value, which is encoded where that is output. */
  captures = 0;
  private counted = { steps: 0, output: 0 };

  constructor(liquid: Liquid, scope: object, strict: boolean, limits?: Pick<Context, 'memoryLimit' | 'renderLimit'>) {
    super(scope, liquid.options, { sync: true, strictVariables: strict }, { ...limits, liquid });
  }

  /** @param source the output or tag with its braces */
  lacks(source: string): void {
    const name = nameIn(source);
    if (this.missing === NONE) this.missing = [name];
    else (this.missing as string[]).push(name);
  }

  /** One step of a filter that loops: Liquid itself looks at the clock between outputs and tags only. @throws AssertionError of Liquid */
  step(): void {
    if (++this.counted.steps % STEPS === 0) this.renderLimit.check(performance.now());
  }

  /** Characters that are written: output, and JSON. */
  writes(characters: number): void {
    this.counted.output += characters;
    if (this.counted.output > OUTPUT_LIMIT) throw new Error(`a rendering has more than ${OUTPUT_LIMIT / 1e6} million characters`);
  }

  /** A number has no fields, those of Big included, and finds an element of a list however it is written. */
  override readProperty(from: Scope, key: Parameters<Context['readProperty']>[1]): unknown {
    this.step();
    if (from instanceof Big) return undefined;
    return super.readProperty(from, Array.isArray(from) && (key as unknown) instanceof Big ? Number(key) : key);
  }

  // Liquid's filters call one of these for each element of a list.
  override spawn(scope: object = {}): Context {
    this.step();
    const { memoryLimit, renderLimit } = this;
    const spawned = new LiquidRendering(this.liquid as Liquid, scope, this.strictVariables, { memoryLimit, renderLimit });
    spawned.counted = this.counted;
    return spawned;
  }

  override push(scope: object): number {
    this.step();
    return super.push(scope);
  }
}

/** Gathers what a rendering writes, and counts it. */
export class Output {
  buffer = '';

  constructor(private readonly rendering: LiquidRendering) {}

  write(part: unknown): void {
    const text = textOf(part);
    this.rendering.writes(text.length);
    this.buffer += text;
  }
}

/** How a value is written: lists and objects as JSON. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  return stringifyExactJson(value as JsonValue);
}

/** `{{- customer.email | upcase }}` is `customer.email`. */
export function nameIn(source: string): string {
  const [, name = source] = /^\{[{%]-?\s*(?:echo\s+)?([^|]*?)\s*(?:\||-?[%}]\})/.exec(source) ?? [];
  return name;
}
