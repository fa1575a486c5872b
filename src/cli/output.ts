import { randomUUID } from 'node:crypto';
import Big from 'big.js';
import Table from 'cli-table3';
import { createColors } from 'picocolors';

export const colors = createColors(process.stdout.isTTY);

/** A table without lines, that fits pipes as well as terminals. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): void {
  const chars = Object.fromEntries(BORDERS.map((part) => [part, '']));
  const table = new Table({
    head: head.map((text) => colors.bold(text)),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) table.push(row.map((cell) => (cell === null ? '–' : String(cell))));
  print(table.toString());
}

const BORDERS = [
  'top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right',
  'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid',
] as const; // prettier-ignore

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Numbers of rows keep the digits that PostgreSQL has. */
export function printJson(value: unknown): void {
  // Something that no row can hold: it marks what is written without its quotes.
  const mark = randomUUID();
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key: string, plain: unknown) { return this[key] instanceof Big ? `${mark}${String(plain)}` : plain; }, 2); // prettier-ignore
  print(text.replaceAll(new RegExp(`"${mark}([^"]*)"`, 'g'), '$1'));
}

/** `1 item`, `2 items`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Cut to a width, with an ellipsis. */
export function cut(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

/** `3 s`, `4 min`, `2 h`, `5 d`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
