import Big from 'big.js';

/** Lines of what lies deeper are not indented: their blanks would be more than all else. */
const DEEPEST_INDENT = 100;

interface Open {
  /** What is still to be written of it, the next one last. */
  readonly members: (readonly [name: string | null, value: unknown])[];
  readonly close: string;
  first: boolean;
}

/**
 * JSON in which the numbers of rows keep the digits that PostgreSQL has; everything else as JSON.stringify writes it. A loop: rows may be
 * nested deeper than the stack.
 */
export function jsonText(value: unknown, indent = 0): string {
  const written: string[] = [];
  const open: Open[] = [];
  const write = (given: unknown): void => {
    const plain = plainOf(given);
    if (plain instanceof Big || typeof plain !== 'object' || plain === null) {
      written.push(plain instanceof Big ? String(plain) : (JSON.stringify(plain) ?? 'null'));
      return;
    }
    const container = openOf(plain);
    written.push(container.close === ']' ? '[' : '{');
    open.push(container);
  };
  write(value);
  for (let container = open.at(-1); container !== undefined; container = open.at(-1)) {
    const line = indent > 0 && open.length <= DEEPEST_INDENT ? `\n${' '.repeat(indent * open.length)}` : '';
    const next = container.members.pop();
    if (next === undefined) {
      open.pop();
      written.push(container.first ? '' : line.slice(0, line === '' ? 0 : -indent), container.close);
      continue;
    }
    const [name, member] = next;
    written.push(container.first ? '' : ',', line, name === null ? '' : `${JSON.stringify(name)}:${indent > 0 ? ' ' : ''}`);
    container.first = false;
    write(member);
  }
  return written.join('');
}

function openOf(object: object): Open {
  const members = Array.isArray(object)
    ? object.map((value: unknown): [null, unknown] => [null, value])
    : Object.entries(object).filter(([, value]) => isWritten(value));
  return { members: members.reverse(), close: Array.isArray(object) ? ']' : '}', first: true };
}

function isWritten(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}

/** A Date writes itself; an exact number as a number, and not as the text that it gives others. */
function plainOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Big) return value;
  return 'toJSON' in value && typeof value.toJSON === 'function' ? (value.toJSON as () => unknown)() : value;
}
