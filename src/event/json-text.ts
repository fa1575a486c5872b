import { randomUUID } from 'node:crypto';
import Big from 'big.js';

/** JSON in which the numbers of rows keep the digits that PostgreSQL has. */
export function jsonText(value: unknown, indent?: number): string {
  // Something that no row can hold: it marks what is written without its quotes.
  const mark = randomUUID();
  const text = JSON.stringify(
    value,
    function (this: Record<string, unknown>, key: string, plain: unknown) {
      return this[key] instanceof Big ? `${mark}${String(plain)}` : plain;
    },
    indent,
  );
  return text.replaceAll(new RegExp(`"${mark}([^"]*)"`, 'g'), '$1');
}
