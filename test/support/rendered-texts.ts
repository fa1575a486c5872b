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

/** For what takes a tenth of the time that a rendering has: on a machine that does much else it may need more tries than one. */
export function patiently(render: () => string): string {
  for (const until = performance.now() + 50_000; ;) {
    try {
      return render();
    } catch (error) {
      if (performance.now() > until || (error as Error).message !== 'template render limit exceeded') throw error;
    }
  }
}
