import { LiquidError, toValueSync, UndefinedVariableError, type Liquid } from 'liquidjs';
import type { BodyTemplate } from '../../event/definitions';
import type { EntityEvent } from '../../event/entity-event';
import { isStackOverflow, messageOf } from '../../event/errors';
import { hasMarks, mailboxText, markValue, parseMailboxes, type Mailbox } from './address';
import { encodeUrl, headerSafe, htmlSafe, jsonSafe, patternSafe, slackSafe, subjectSafe, topicSafe, urlSafe, wholeUrl } from './encoding';
import { TemplateError, TemplateRenderError } from './errors';
import type { NamedColumn } from '../path';
import { allowEmpty, createLiquid, firstLine, parseLiquid, scopeOf, Uses } from './liquid';
import { LiquidRendering, Output } from './rendering';

export { EmptyValueError } from './encoding';
export { TemplateError, TemplateRenderError } from './errors';

/** Where the rendered text goes, which decides how values are encoded. */
export type TemplateTarget = 'json' | 'header' | 'url' | 'html' | 'pattern' | 'subject' | 'topic' | 'address' | 'text';

export interface Rendered {
  readonly text: string;
  /** Outputs that had no value and left nothing behind, as they are written: `customer.email`. */
  readonly missing: readonly string[];
}

/** Compiled once per configuration version. What came from data is never expanded again. */
export interface Template {
  /** The look-ups that it names. */
  readonly lookups: readonly string[];
  /** The columns that it names. */
  readonly columns: readonly NamedColumn[];
  /**
   * @param strict whether a path that leads nowhere is refused; a column that is null has a value
   * @throws TemplateRenderError when a value does not fit the target
   */
  render(event: EntityEvent, strict?: boolean): Rendered;
}

/** A template of senders or recipients. */
export interface AddressTemplate extends Pick<Template, 'lookups' | 'columns'> {
  /**
   * @param strict whether a path that leads nowhere is refused
   * @throws TemplateRenderError when a value does not fit where it stands; its message repeats none
   */
  render(event: EntityEvent, strict?: boolean): { readonly mailboxes: readonly Mailbox[] } & Pick<Rendered, 'missing'>;
}

/** Writes one text of a template within a rendering. */
type Writer = (rendering: LiquidRendering) => string;

const PLAIN = createLiquid((text) => text, false);
const ENGINES: Readonly<Record<TemplateTarget, Liquid>> = {
  json: createLiquid(jsonSafe, true),
  url: allowEmpty(createLiquid(urlSafe, false)),
  html: createLiquid(htmlSafe, false),
  pattern: createLiquid(patternSafe, false),
  subject: createLiquid(subjectSafe, false),
  topic: createLiquid(topicSafe, false),
  address: createLiquid(markValue, false),
  // Encoded as a whole, see below.
  header: PLAIN,
  text: PLAIN,
};

const SLACK = createLiquid(slackSafe, false);

/** @throws TemplateError */
export function compileTemplate(source: string, target: TemplateTarget): Template {
  if (target === 'address') return addressText(compileAddresses(source));
  if (!hasTags(source)) return constant(target === 'header' ? literalHeader(source) : target === 'url' ? encodeUrl(source) : source);
  const uses = new Uses();
  const write = writer(ENGINES[target], source, uses);
  const finish = AS_A_WHOLE[target];
  return rendering(ENGINES[target], finish === undefined ? write : (context) => finish(write(context)), uses);
}

/** Targets that are encoded, or looked at, as a whole: their literals may need it too. */
const AS_A_WHOLE: Partial<Record<TemplateTarget, (text: string) => string>> = { header: headerSafe, url: wholeUrl };

/**
 * Mailboxes, whose form is that of the template: what comes from data stays within the name, the local part or the domain where it
 * stands, or is one whole address.
 *
 * @throws TemplateError
 */
export function compileAddresses(source: string): AddressTemplate {
  if (hasMarks(source)) throw new TemplateError('the text holds U+E000 or U+E001, which addresses cannot have', 1, 1);
  const template = hasTags(source) ? compiledAddresses(source) : constant(source);
  return {
    lookups: template.lookups,
    columns: template.columns,
    render(event, strict) {
      const { text, missing } = template.render(event, strict);
      return { mailboxes: parseMailboxes(text), missing };
    },
  };
}

/** The same, for a file that is checked: one without a value is right or wrong already. @throws TemplateError */
export function checkAddresses(source: string): AddressTemplate {
  const template = compileAddresses(source);
  if (hasTags(source)) return template;
  try {
    parseMailboxes(source);
  } catch (error) {
    throw new TemplateError(messageOf(error), 1, 1);
  }
  return template;
}

function compiledAddresses(source: string): Template {
  const uses = new Uses();
  return rendering(ENGINES.address, writer(ENGINES.address, source, uses), uses);
}

function addressText(template: AddressTemplate): Template {
  return {
    ...template,
    render(event, strict) {
      const { mailboxes, missing } = template.render(event, strict);
      return { text: mailboxes.map(mailboxText).join(', '), missing };
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
  const source = structured ? JSON.stringify(body) : body;
  if (!hasTags(source)) {
    if (!isJson(source)) throw new TemplateError('the body is not JSON', 1, 1);
    return constant(source);
  }
  return checked(structured ? structure(PLAIN, body) : compileTemplate(source, 'json'));
}

/**
 * A JSON structure for Slack: what comes from data is shown, and neither mentions nor links.
 *
 * @throws TemplateError
 */
export function compileSlackMessage(message: Readonly<Record<string, unknown>>): Template {
  return checked(structure(SLACK, message));
}

function structure(liquid: Liquid, body: unknown): Template {
  const uses = new Uses();
  return rendering(liquid, structureWriter(liquid, body, uses), uses);
}

function checked(template: Template): Template {
  return {
    ...template,
    render(event, strict) {
      const rendered = template.render(event, strict);
      // Without the parser's own words: they quote the payload.
      if (!isJson(rendered.text)) throw new TemplateRenderError('the body is not JSON once it is rendered');
      return rendered;
    },
  };
}

const WHOLE_JSON_OUTPUT = /^\s*\{\{[^{}]*\|\s*json\s*-?\}\}\s*$/;

/** Each string is rendered as plain text and becomes a JSON string as a whole, so that literals, values and captures are encoded once. */
function structureWriter(liquid: Liquid, part: unknown, uses: Uses): Writer {
  if (Array.isArray(part)) {
    const items = part.map((item) => structureWriter(liquid, item, uses));
    return (context) => `[${items.map((write) => write(context)).join(',')}]`;
  }
  if (typeof part === 'object' && part !== null) {
    const members = Object.entries(part).map(
      ([key, member]) => [stringWriter(liquid, key, uses), structureWriter(liquid, member, uses)] as const,
    );
    return (context) => `{${members.map(([key, member]) => `${key(context)}:${member(context)}`).join(',')}}`;
  }
  if (typeof part !== 'string') {
    const text = JSON.stringify(part);
    return () => text;
  }
  return WHOLE_JSON_OUTPUT.test(part) ? writer(liquid, part, uses) : stringWriter(liquid, part, uses);
}

function stringWriter(liquid: Liquid, source: string, uses: Uses): Writer {
  const write = writer(liquid, source, uses);
  return (context) => JSON.stringify(write(context));
}

function writer(liquid: Liquid, source: string, uses: Uses): Writer {
  if (!hasTags(source)) return () => source;
  const nodes = parseLiquid(liquid, source, uses);
  return (context) => {
    // A stray {% break %} ends its own text, not the next one of a structure.
    context.breakCalled = context.continueCalled = false;
    const output = new Output(context);
    toValueSync(liquid.renderer.renderTemplates(nodes, context, output));
    return output.buffer;
  };
}

function rendering(liquid: Liquid, write: Writer, uses: Uses): Template {
  return {
    lookups: [...uses.lookups],
    columns: uses.columns,
    render(event, strict = false) {
      try {
        const context = new LiquidRendering(liquid, scopeOf(event), strict);
        return { text: write(context), missing: context.missing };
      } catch (error) {
        if (error instanceof TemplateRenderError) throw error;
        throw new TemplateRenderError(error instanceof LiquidError ? reasonOf(error) : messageOf(error), { cause: error });
      }
    },
  };
}

function reasonOf(error: LiquidError): string {
  const { originalError } = error as { readonly originalError?: Error };
  if (isStackOverflow(originalError)) return 'a value is nested too deep for what the template does with it';
  // Whatever goes wrong while Liquid reads a path is called so, a limit that is exceeded too.
  const reason = error instanceof UndefinedVariableError && originalError !== undefined ? originalError.message : firstLine(error);
  return reason.startsWith(UNDEFINED) ? `strict_templates: the event has no ${reason.slice(UNDEFINED.length)}` : reason;
}

const UNDEFINED = 'undefined variable: ';

function constant(text: string): Template {
  const rendered = { text, missing: [] };
  return { lookups: [], columns: [], render: () => rendered };
}

function literalHeader(source: string): string {
  try {
    return headerSafe(source);
  } catch (error) {
    throw new TemplateError(messageOf(error), 1, 1);
  }
}

/** Whether a text is a template at all. */
export function hasTags(source: string): boolean {
  return source.includes('{{') || source.includes('{%');
}

const TAGS = /(?:\s*\{\{-|\{\{)[\s\S]*?(?:-\}\}\s*|\}\})|(?:\s*\{%-|\{%)[\s\S]*?(?:-%\}\s*|%\})/g;

/** What stands outside the tags, and goes out as it is written. @param standIn for each tag, with the blanks that it takes away */
export function literalsOf(source: string, standIn = ''): string {
  return source.replace(TAGS, () => standIn);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
