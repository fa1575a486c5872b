import { causeOf } from '../../event/cause';
import type { Delivery } from '../../event/delivery';
import { envelopeText } from '../../event/envelope';
import { traceHeaders } from '../../event/trace-context';
import { TEST_HEADER } from '../../event/webhook-headers';
import { passedOn } from '../../event/delivery';
import { compileTemplate, type Template } from '../../matching/template/template';
import type { FilledTemplates } from '../fill';
import type { Header } from '../rendering';

/** The parts of a message that every broker takes. */
export interface MessageParts {
  /** Null: the envelope. */
  readonly body: Template | null;
  /** The body is a text of the file, which may be anything; otherwise it is JSON. */
  readonly isText: boolean;
  readonly timeout: number;
}

export function bodyOf({ body }: MessageParts, { event }: Delivery, fill: FilledTemplates): string {
  return body === null ? envelopeText(event) : fill.text(body);
}

export function contentTypeOf({ isText }: MessageParts): string {
  return isText ? 'text/plain; charset=utf-8' : 'application/json';
}

/** Trace context, and the mark of a test. */
export function marksOf(delivery: Delivery): readonly Header[] {
  return [...traceHeaders(passedOn(delivery)), ...(delivery.test === undefined ? [] : [TEST_HEADER])];
}

/** The cause of the message, and the marks. */
export function serviceHeaders(delivery: Delivery): readonly Header[] {
  return [['observers-cause', causeOf(delivery)], ...marksOf(delivery)];
}

type HeaderTemplates = readonly (readonly [name: string, value: Template])[];

export function compileHeaders(headers: Readonly<Record<string, string>>): HeaderTemplates {
  return Object.entries(headers).map(([name, value]) => [name, compileTemplate(value, 'header')] as const);
}

export function isContentType([name]: Header): boolean {
  return name.toLowerCase() === 'content-type';
}

export function filledHeaders(headers: HeaderTemplates, fill: FilledTemplates): readonly Header[] {
  return headers.map(([name, value]) => [name, fill.text(value)] as const);
}
