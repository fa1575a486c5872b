import { compileBody, compileTemplate } from '../../../src/matching/template/template';
import { orderEvent } from '../matching/order-event';

/** A literal as the templates and the actions write it: in JSON, in HTML, in a form. */
export function encodingsOf(value: string): string[] {
  const event = orderEvent('{}');
  const inJson = compileBody({ a: value }, true).render(event).text;
  const form = new URLSearchParams({ a: value }).toString();
  const inDocument = value.replace(/[\r\n]/g, ' ');
  return [compileTemplate(value, 'text').render(event).text, inJson.slice('{"a":"'.length, -2), form.slice(2), inDocument];
}
