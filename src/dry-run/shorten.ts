import { SECRETS } from '../event/secrets';

/** Characters of one text of an answer: what is sent may have megabytes, and an answer many of them. */
const LONGEST = 16_384;

/** The same structure as it may leave the house: without what is secret, and with its long texts cut; how much is left out is said. Anything but objects and lists is itself. */
export function shortened<T>(value: T): T {
  if (typeof value === 'string') return textOf(value) as T;
  if (Array.isArray(value)) return value.map((member: unknown) => shortened(member)) as T;
  if (typeof value !== 'object' || value === null || ![Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null))
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shortened(member as unknown)])) as T;
}

function textOf(text: string): string {
  const shown = SECRETS.hide(text.slice(0, LONGEST));
  return text.length <= LONGEST ? shown : `${shown}… (${text.length - LONGEST} more characters)`;
}
