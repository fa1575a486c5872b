import { folded } from '../words';

/** Behind the end of a text, so that its last two characters begin grams too. Nobody's characters, as the blanks below. */
const END = '\uf8fe';
/** What Java calls white space would end a gram. */
// eslint-disable-next-line no-control-regex -- they are meant
const BLANKS = /[\s\u0000-\u0020\u0085\u180e]/g;
const FIRST_BLANK = 0xe000;

/** Each blank as a character of its own: two texts with the same grams are the same text. */
function visible(text: string): string {
  return text.replace(BLANKS, (blank) => {
    const code = blank.charCodeAt(0);
    return String.fromCharCode(FIRST_BLANK + ((code >> 12) << 8) + (code & 0xff));
  });
}

function gramsOf(letters: readonly string[]): string {
  const grams: string[] = [];
  for (let at = 0; at + 2 < letters.length; at++) grams.push(`${letters[at]}${letters[at + 1]}${letters[at + 2]}`);
  return grams.join(' ');
}

/**
 * A text as its groups of three letters, one after the other, with blanks between. As words of a text field they find any piece of the
 * text exactly, as `ilike` does: the grams of the piece follow each other there.
 */
export function grams(text: string): string {
  return gramsOf([...visible(folded(text)), END, END]);
}

/** The query for texts that hold this one. */
export function holding(field: string, text: string): Record<string, unknown> {
  const letters = [...visible(folded(text))];
  // Shorter than a gram: some gram begins with it.
  if (letters.length < 3) return { prefix: { [field]: letters.join('') } };
  return { match_phrase: { [field]: gramsOf(letters) } };
}
