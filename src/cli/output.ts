import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { jsonText } from '../event/json-text';
import { colorsFor, visible, visibleJson, visibleLines, writeTrusted } from '../event/terminal';

export { counted } from '../event/counted';
export { BREAK } from '../event/terminal';

export const colors = colorsFor(process.stdout.isTTY);

/**
 * A table without lines. On a terminal it is as wide as that: what does not fit ends with …, ids and times never. Where that would leave
 * texts that nobody can read, the last columns stand below their row; where not even that fits, each row is a record of its own, as psql
 * does it. In a pipe nothing is cut.
 */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): void {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '–' : visible(String(cell)))));
  const room = process.stdout.isTTY ? process.stdout.columns : Infinity;
  const layout = layoutOf(head, texts, room);
  if (layout.as === 'records') return printRecords(head, texts, room);
  if (layout.as === 'below') return printBelow(head, texts, room, layout);
  const chars = Object.fromEntries(BORDERS.map((part) => [part, '']));
  const table = new Table({
    head: head.map((text) => visible(colors.bold(text))),
    ...(layout.widths === null ? {} : { colWidths: layout.widths }),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...texts);
  write(table.toString().replaceAll(/ +$/gm, ''));
}

function printRecords(head: readonly string[], rows: readonly (readonly string[])[], room: number): void {
  const label = Math.max(...head.map((text) => text.length));
  const record = (row: readonly string[]): string =>
    row.map((cell, column) => `${visible(colors.dim((head[column] ?? '').padEnd(label)))}  ${cut(cell, room - label - 2)}`).join('\n');
  write(rows.map(record).join('\n\n'));
}

/** Rows whose last columns stand below them, whole. */
function printBelow(head: readonly string[], rows: readonly (readonly string[])[], room: number, { above, widths }: Below): void {
  const first = (row: readonly string[]): string =>
    row.slice(0, above).map((cell, column) => padded(cell, widths[column] ?? 0)).join('').trimEnd(); // prettier-ignore
  // Of several each says what it is.
  const rest = (row: readonly string[]): string =>
    row.slice(above).flatMap((cell, i) => (cell === '' ? [] : above === head.length - 1 ? [cell] : [`${head[above + i]} ${cell}`])).join(', '); // prettier-ignore
  const below = (text: string): string[] => wrapped(text, room - INDENT).map((line) => ' '.repeat(INDENT) + line);
  write(visible(colors.bold(first(head))));
  write(rows.flatMap((row) => [first(row), ...(rest(row) === '' ? [] : below(rest(row)))]).join('\n'));
}

function padded(cell: string, width: number): string {
  const text = widthOf(cell) > width ? `${[...stripVTControlCharacters(cell)].slice(0, width - 1).join('')}…` : cell;
  return text + ' '.repeat(width - widthOf(text) + BETWEEN);
}

/** Lines of at most so many columns, broken between words where that is possible. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== undefined && widthOf(line) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${line} ${word}`;
    else for (let rest = word; rest !== '' || lines.length === 0; rest = rest.slice(width)) lines.push(rest.slice(0, width));
  }
  return lines;
}

const BETWEEN = 2;
const INDENT = 4;
/** Less of a text tells nobody anything. */
const NARROWEST = 12;
/** Less of a message is no message. */
const LEGIBLE = 28;
/** Columns that may stand below their row: more would be a record. */
const MOST_BELOW = 3;
/** Values that are of no use when they are cut: ids, names, times. */
const WHOLE = /^(\S{0,40}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$/;

export type Layout =
  { readonly as: 'table'; /** Null: as wide as its texts. */ readonly widths: number[] | null } | Below | { readonly as: 'records' };

interface Below {
  readonly as: 'below';
  /** Columns that stay in the row. */
  readonly above: number;
  readonly widths: number[];
}

/** How rows have room: the widest of the columns that may be cut give, all to the same width. */
export function layoutOf(head: readonly string[], rows: readonly (readonly string[])[], room: number): Layout {
  const columns = head.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    const whole = cells.every((cell) => WHOLE.test(stripVTControlCharacters(cell)));
    return { width: Math.max(...[title, ...cells].map(widthOf)), whole };
  });
  const all = widthsOf(columns, room, LEGIBLE);
  if (all !== null) return { as: 'table', widths: columns.every(({ width }, i) => width === all[i]) ? null : all };
  for (let above = columns.length - 1; above >= Math.max(1, columns.length - MOST_BELOW); above--) {
    const widths = widthsOf(columns.slice(0, above), room, NARROWEST);
    if (widths !== null) return { as: 'below', above, widths };
  }
  return { as: 'records' };
}

/** How wide columns may be; null when those that may be cut would be narrower than a limit. */
function widthsOf(columns: readonly { readonly width: number; readonly whole: boolean }[], room: number, least: number): number[] | null {
  const available = room - BETWEEN * (columns.length - 1);
  const widths = (limit: number): number[] => columns.map(({ width, whole }) => (whole ? width : Math.min(width, limit)));
  const fits = (limit: number): boolean => widths(limit).reduce((sum, width) => sum + width, 0) <= available;
  if (fits(Infinity)) return widths(Infinity);
  if (!fits(least)) return null;
  let limit = least;
  while (fits(limit + 1)) limit++;
  return widths(limit);
}

/** Columns of a terminal that a text takes, its colours none. */
function widthOf(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...stripVTControlCharacters(line)].length));
}

const BORDERS = [
  'top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right',
  'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid',
] as const; // prettier-ignore

/** A line. Within it a line break is a BREAK, and every other one is shown as what it is: a value that holds one. */
export function print(text: string): void {
  write(visible(text));
}

/** A text of several lines that are ours: SQL, a page of help. */
export function printText(text: string): void {
  write(visibleLines(text));
}

/** Lines that have been made visible. @returns whether there is room for more */
export function write(text: string): boolean {
  return writeTrusted(process.stdout, `${text}\n`);
}

/** Numbers of rows keep the digits that PostgreSQL has. */
export function printJson(value: unknown): void {
  write(visibleJson(jsonText(value, 2)));
}

/** Lines of a sentence that fit the terminal, the others beneath the text of the first; in a pipe it is one. No word is broken: it may be a command. */
export function hanging(text: string, before: string, room = process.stdout.isTTY ? process.stdout.columns : Infinity): string[] {
  const indent = widthOf(visible(before));
  const lines: string[] = [];
  let line: string | null = null;
  let width = 0;
  for (const word of text.split(' ')) {
    const more = widthOf(visible(word));
    if (line === null) [line, width] = [`${before}${word}`, indent + more];
    else if (width + 1 + more <= room) [line, width] = [`${line} ${word}`, width + 1 + more];
    else {
      lines.push(line);
      [line, width] = [`${' '.repeat(indent)}${word}`, indent + more];
    }
  }
  return line === null ? lines : [...lines, line];
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
