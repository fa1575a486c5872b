import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { EntityEvent } from '../../../src/event/entity-event';
import { parseExactJson, parseSpelledJson, stringifyExactJson, type JsonValue } from '../../../src/event/json-document';
import { compileCondition, ConditionSyntaxError } from '../../../src/matching/condition/condition';
import { FUNCTION_NAMES } from '../../../src/matching/condition/functions';
import { MAX_BYTES, MAX_NESTING } from '../../../src/matching/condition/parser';
import {
  compileBody,
  compileTemplate,
  TemplateError,
  TemplateRenderError,
  type TemplateTarget,
} from '../../../src/matching/template/template';
import { NOON, orderEvent } from './order-event';

interface Block {
  readonly info: string;
  readonly text: string;
}

const conditions = readFileSync(join(__dirname, '../../../docs/conditions.md'), 'utf8');
const templates = readFileSync(join(__dirname, '../../../docs/templates.md'), 'utf8');

function blocksOf(document: string): readonly Block[] {
  return [...document.matchAll(/^```(\S[^\n]*)\n([\s\S]*?)^```$/gm)].map(([, info = '', text = '']) => ({ info, text }));
}

/** `condition   # verdict`, one a line. */
function examplesOf(document: string, info: string): readonly (readonly [source: string, answer: string])[] {
  const lines = blocksOf(document)
    .filter((block) => block.info === info)
    .flatMap(({ text }) => text.trimEnd().split('\n'));
  return lines.map((line) => {
    const [, source, answer] = /^(.*?) +# (.*)$/.exec(line) ?? [];
    if (source === undefined || answer === undefined) throw new Error(`no answer in the documentation: ${line}`);
    return [source, answer] as const;
  });
}

function eventOf(document: string): EntityEvent {
  const { data, before, ...parts } = parseSpelledJson(blocksOf(document).find(({ info }) => info === 'json event')?.text ?? '') as Record<
    string,
    JsonValue
  >;
  return orderEvent(stringifyExactJson(data ?? null), {
    ...(parts as Partial<EntityEvent>),
    before: before === null ? null : stringifyExactJson(before ?? null),
  });
}

function conditionAnswer(source: string, event: EntityEvent): string {
  try {
    const verdict = compileCondition(source).evaluate({ event, now: NOON });
    return typeof verdict === 'string' ? verdict : `error ${verdict.error}`;
  } catch (error) {
    if (error instanceof ConditionSyntaxError) return `refused ${error.line}:${error.column} ${error.message}`;
    throw error;
  }
}

function templateAnswer(source: string, target: TemplateTarget, event: EntityEvent): string {
  try {
    return compileTemplate(source, target).render(event).text;
  } catch (error) {
    if (error instanceof TemplateError) return `refused ${error.line}:${error.column} ${error.message}`;
    if (error instanceof TemplateRenderError) return `error ${error.message}`;
    throw error;
  }
}

describe('docs/conditions.md', () => {
  it.each(examplesOf(conditions, 'text verdicts'))('%s # %s', (source, answer) => {
    expect(conditionAnswer(source, eventOf(conditions))).toBe(answer);
  });

  it('names every function', () => {
    for (const name of FUNCTION_NAMES) expect(conditions.toUpperCase()).toContain(`${name}(`);
  });

  it('names the limits', () => {
    expect(conditions).toContain(`${MAX_BYTES.toLocaleString('en')} bytes of UTF-8, and a nesting of ${MAX_NESTING}:`);
  });

  it('gives every kind of answer', () => {
    const answers = new Set(examplesOf(conditions, 'text verdicts').map(([, answer]) => answer.split(' ')[0]));
    expect([...answers].sort()).toEqual(['error', 'false', 'refused', 'true', 'unknown']);
  });
});

describe('docs/templates.md', () => {
  it.each(['text', 'header', 'url', 'json', 'address'] as const)('has examples for the target %s', (target) => {
    expect(examplesOf(templates, `text templates ${target}`).length).toBeGreaterThan(0);
  });

  it.each(
    (['text', 'header', 'url', 'json', 'address'] as const).flatMap((target) =>
      examplesOf(templates, `text templates ${target}`).map((example) => [target, ...example] as const),
    ),
  )('as %s: %s # %s', (target, source, answer) => {
    expect(templateAnswer(source, target, eventOf(templates))).toBe(answer);
  });

  it('shows a body and what becomes of it', () => {
    const blocks = blocksOf(templates);
    const body = parseYaml(blocks.find(({ info }) => info === 'yaml body')?.text ?? '') as Record<string, unknown>;
    const result = blocks.find(({ info }) => info === 'json result')?.text ?? '';
    const { text } = compileBody(body, true).render(eventOf(templates));
    expect(stringifyExactJson(parseExactJson(text))).toBe(stringifyExactJson(parseExactJson(result)));
    expect(text).toContain('"id":12345678901234567890,');
  });
});
