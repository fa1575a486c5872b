import { compileTemplate } from '../../src/matching/template/template';
import { orderEvent } from '../unit/matching/order-event';

export interface Texts {
  readonly row: string;
  readonly sources: readonly string[];
}

/** What each template makes of a row: its text, or why there is none. */
export function renderedTexts({ row, sources }: Texts): string[] {
  const event = orderEvent(row);
  return sources.map((source) => {
    try {
      return compileTemplate(source, 'text').render(event).text;
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  });
}
