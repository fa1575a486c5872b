/**
 * Names of the columns in which two images of a row differ, as PostgreSQL wrote them: 1.0 and 1.00 differ. A column that the earlier
 * image lacks has changed, for it was added since.
 *
 * @returns null when one of them is no JSON object
 */
export function changedColumns(before: string, after: string): string[] | null {
  if (before === after) return [];
  const [was, is] = [fieldsOf(before), fieldsOf(after)];
  if (was === null || is === null) return null;
  const changed: string[] = [];
  for (const [name, value] of is) if (was.get(name) !== value) changed.push(name);
  return changed;
}

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d];

/** The texts of an object's values by their names; no value is parsed, for that costs ten times as much. */
function fieldsOf(text: string): Map<string, string> | null {
  const fields = new Map<string, string>();
  let at = skipBlanks(text, 0);
  if (text.charCodeAt(at) !== OPEN) return null;
  at = skipBlanks(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = skipString(text, at);
    const colon = skipBlanks(text, nameEnd);
    if (text.charCodeAt(colon) !== COLON) return null;
    const start = skipBlanks(text, colon + 1);
    const end = skipValue(text, start);
    const name = text.slice(at + 1, nameEnd - 1);
    fields.set(name.includes('\\') ? unescaped(name) : name, text.slice(start, end).trimEnd());
    at = text.charCodeAt(end) === COMMA ? skipBlanks(text, end + 1) : end;
  }
  return text.charCodeAt(at) === CLOSE ? fields : null;
}

function unescaped(name: string): string {
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return name;
  }
}

/** Behind the blanks that jsonb writes, and people. */
function skipBlanks(text: string, at: number): number {
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** Behind the quote that ends the string which begins at `at`. */
function skipString(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === BACKSLASH) end++;
    else if (code === QUOTE) return end + 1;
  }
  return text.length;
}

/** Where the comma or the brace stands that ends the value. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    if (depth === 0 && (code === COMMA || code === CLOSE)) return at;
    if (code === OPEN || code === OPEN_LIST) depth++;
    else if (code === CLOSE || code === CLOSE_LIST) depth--;
    at++;
  }
  return at;
}
