import { randomUUID } from 'node:crypto';
import { stripVTControlCharacters } from 'node:util';
import Big from 'big.js';
import Table from 'cli-table3';
import { createColors } from 'picocolors';

export const colors = createColors(process.stdout.isTTY);

/** A table without lines. On a terminal it is as wide as that, and what does not fit ends with …; in a pipe nothing is cut. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): void {
  const chars = Object.fromEntries(BORDERS.map((part) => [part, '']));
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '–' : String(cell))));
  const room = process.stdout.isTTY ? process.stdout.columns : Infinity;
  const colWidths = fittingWidths([[...head], ...texts], room);
  const table = new Table({
    head: head.map((text) => colors.bold(text)),
    ...(colWidths === null ? {} : { colWidths }),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...texts);
  print(table.toString().replaceAll(/ +$/gm, ''));
}

const BETWEEN = 2;
/** Less tells nobody anything. */
const NARROWEST = 6;

/**
 * Widths with which the rows have room: the widest columns give, all to the same width. Ids and times, which are of no use when they are
 * cut, are never the widest for long.
 *
 * @returns null when everything has room as it is
 */
export function fittingWidths(rows: readonly (readonly string[])[], room: number): number[] | null {
  const wide = (column: number): number => Math.max(...rows.map((row) => widthOf(row[column] ?? '')));
  const widths = (rows[0] ?? []).map((_, column) => wide(column));
  const available = room - BETWEEN * (widths.length - 1);
  const taken = (limit: number): number => widths.reduce((sum, width) => sum + Math.min(width, limit), 0);
  if (taken(Infinity) <= available) return null;
  let limit = NARROWEST;
  while (taken(limit + 1) <= available) limit++;
  return widths.map((width) => Math.min(width, limit));
}

/** Columns of a terminal that a text takes, its colours none. */
function widthOf(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...stripVTControlCharacters(line)].length));
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

/** One line, cut to a width with an ellipsis; in a pipe it is whole, for whoever reads there has room. */
export function cut(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ');
  return !process.stdout.isTTY || line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

/** `3 s`, `4 min`, `2 h`, `5 d`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
