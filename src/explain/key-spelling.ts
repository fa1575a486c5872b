/** A key of several columns as the log has it: `["a", 1]`, in the digits that were given; null for what is none. */
export function compositeKey(text: string): string | null {
  try {
    if (!Array.isArray(JSON.parse(text))) return null;
  } catch {
    return null;
  }
  return text.replace(/"(?:[^"\\]|\\.)*"|\s+|,/g, (part) => (part === ',' ? ', ' : /^\s/.test(part) ? '' : part));
}

/** Other ways to write a key of which one may be meant: parts of a composite one, another case (of a UUID), a number as PostgreSQL writes it. */
export function otherSpellings(key: string): string[] {
  const trimmed = key.trim();
  const bare = trimmed.replace(/^(["'])(.*)\1$/, '$2');
  const parts = trimmed.replace(/^[([{]|[)\]}]$/g, '').split(/[,;/|]/).map((part) => part.trim().replace(/^(["'])(.*)\1$/, '$2')); // prettier-ignore
  const written = (part: string): string => (/^-?\d+(\.\d+)?$/.test(part) ? part : JSON.stringify(part));
  const composite = parts.length < 2 ? [] : [`[${parts.map(written).join(', ')}]`, `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`]; // prettier-ignore
  const number = /^\+?0*(\d+)(\.0+)?$/.exec(bare)?.[1] ?? null;
  const all = [trimmed, bare, bare.toLowerCase(), bare.toUpperCase(), ...(number === null ? [] : [number]), ...composite];
  return [...new Set(all)].filter((one) => one !== '' && one !== key);
}

/** The parts of a composite key, as texts; none where it is no composite key. */
export function partsOfKey(key: string): string[] {
  if (compositeKey(key) === null) return [];
  const parts = key.match(/"(?:[^"\\]|\\.)*"|[^\s,[\]]+/g) ?? [];
  return parts.map((part) => (part.startsWith('"') ? (JSON.parse(part) as string) : part));
}
