/** ASCII only, as `ilike` does it in the collation "C". */
export function folded(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A word's spellings, of which one must be found. Case is folded for ASCII only: words with other letters come in several. */
export function spellingsOf(word: string): string[] {
  const plain = [...word].every((letter) => letter.charCodeAt(0) < 128);
  const capital = word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
  return plain ? [word] : [...new Set([word, word.toLowerCase(), word.toUpperCase(), capital])];
}

/** No text of PostgreSQL's holds the character 0, or half of a pair. */
export function isNowhere(word: string): boolean {
  return word.includes('\0') || /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(word);
}
