/** Where a text stops being JSON, and what could stand there. Nothing of the text itself: it may be secret. */
export interface JsonMistake {
  readonly line: number;
  readonly column: number;
  readonly expected: string;
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y; // eslint-disable-line no-control-regex -- JSON forbids them
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

type Wanted = 'a value' | 'a value, or ]' | 'the name of a member' | 'the name of a member, or }' | ':' | ', or }' | ', or ]' | 'the end';

/** By hand, for JSON.parse tells the place in some of its messages only, and quotes the text in all. @returns null for a text that is JSON */
export function mistakeIn(text: string): JsonMistake | null {
  const open: ('{' | '[')[] = [];
  let wanted: Wanted = 'a value';
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const behindValue = (): Wanted => (open.length === 0 ? 'the end' : open.at(-1) === '{' ? ', or }' : ', or ]');
  for (;;) {
    take(SPACE);
    const character = text[at];
    if (character === undefined) return wanted === 'the end' ? null : placed(text, at, wanted);
    const closes = (character === '}' && wanted.endsWith('or }')) || (character === ']' && wanted.endsWith('or ]'));
    if (closes) {
      open.pop();
      at++;
      wanted = behindValue();
    } else if (wanted.startsWith('a value')) {
      if (character === '{' || character === '[') {
        open.push(character);
        at++;
        wanted = character === '{' ? 'the name of a member, or }' : 'a value, or ]';
      } else if (take(STRING) || take(SCALAR)) wanted = behindValue();
      else return placed(text, at, wanted);
    } else if (wanted.startsWith('the name')) {
      if (!take(STRING)) return placed(text, at, wanted);
      wanted = ':';
    } else if (character === wanted[0] && wanted !== 'the end') {
      at++;
      wanted = wanted === ':' || open.at(-1) === '[' ? 'a value' : 'the name of a member';
    } else return placed(text, at, wanted);
  }
}

function placed(text: string, at: number, expected: Wanted): JsonMistake {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, expected };
}
