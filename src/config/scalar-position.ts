import type { Scalar } from 'yaml';

/**
 * Where a place within a YAML text (line and column of a condition, say) stands in the file.
 *
 * @param raw the scalar as it is written: quotes, escapes and indentation included
 * @param value what YAML makes of it
 * @param line 1-based, within the value; likewise column
 * @returns the offset within `raw`, or null where folding leaves no one place
 */
export function offsetInScalar(raw: string, value: string, type: Scalar['type'], line: number, column: number): number | null {
  const index = startOfLine(value.split('\n'), line - 1) + column - 1;
  switch (type) {
    case 'PLAIN':
      return raw.includes('\n') ? null : index;
    case 'QUOTE_DOUBLE':
      return offsetInQuotes(raw, /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|.)|[^\\]/gsu, index);
    case 'QUOTE_SINGLE':
      return offsetInQuotes(raw, /''|[^']/gsu, index);
    case 'BLOCK_LITERAL': {
      // The first line of raw is the header, `|-` say: the value's lines follow one to one, each behind its indentation.
      const rawLine = raw.split('\n')[line] ?? '';
      const indent = rawLine.indexOf(value.split('\n')[line - 1] ?? '');
      return indent === -1 ? null : startOfLine(raw.split('\n'), line) + indent + column - 1;
    }
    case 'BLOCK_FOLDED':
      return offsetInFolded(raw, value, index);
    default:
      return null;
  }
}

function startOfLine(lines: readonly string[], line: number): number {
  return lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
}

/** Between quotes each character of the value is one unit of `raw`: itself or an escape. */
function offsetInQuotes(raw: string, unit: RegExp, index: number): number | null {
  if (raw.includes('\n')) return null;
  let produced = 0;
  for (const match of raw.slice(1, -1).matchAll(unit)) {
    if (produced >= index) return 1 + match.index;
    const [written] = match;
    // `\U0001f600`, like the character itself, is two UTF-16 units of the value; any other escape is one.
    produced += written.startsWith('\\U') ? 2 : written.startsWith('\\') || written === "''" ? 1 : written.length;
  }
  return raw.length - 1;
}

/** Lines of one indentation that are joined by blanks: the way long conditions are written. Blank or deeper lines have no such rule. */
function offsetInFolded(raw: string, value: string, index: number): number | null {
  const [header = '', ...lines] = raw.replace(/\s+$/, '').split('\n');
  const indent = /^\s*/.exec(lines[0] ?? '')?.[0].length ?? 0;
  const texts = lines.map((text) => text.slice(indent).replace(/\r$/, ''));
  if (texts.join(' ') !== value.trimEnd()) return null;
  let start = header.length + 1;
  let before = 0;
  for (const [i, text] of texts.entries()) {
    if (index <= before + text.length) return start + indent + index - before;
    before += text.length + 1;
    start += (lines[i]?.length ?? 0) + 1;
  }
  return null;
}
