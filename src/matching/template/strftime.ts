import type { Calendar } from '../time';

/** What a calendar and a clock show somewhere. */
export interface Moment extends Calendar {
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly nanoseconds: number;
  /** Seconds east of Greenwich. */
  readonly offset: number;
  /** Null: only its offset is known. */
  readonly zone: string | null;
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

interface Written {
  readonly flags: string;
  /** 0: none is given. */
  readonly width: number;
}

type Conversion = (moment: Moment, written: Written) => string | number;

const hour12 = ({ hour }: Moment): number => hour % 12 || 12;
const half = ({ hour }: Moment): string => (hour < 12 ? 'AM' : 'PM');
const two = (number: number): string => String(number).padStart(2, '0');
const day = ({ month, day, year }: Moment): string => `${month}/${day}/${year}`;
const clock = (moment: Moment): string => `${hour12(moment)}:${two(moment.minute)}:${two(moment.second)} ${half(moment)}`;

/** Those of Liquid, and what they are padded to. */
const CONVERSIONS: Readonly<Record<string, readonly [Conversion, width?: number, pad?: string]>> = {
  a: [({ weekday }) => (DAYS[weekday] ?? '').slice(0, 3), 0, ' '],
  A: [({ weekday }) => DAYS[weekday] ?? '', 0, ' '],
  b: [({ month }) => (MONTHS[month - 1] ?? '').slice(0, 3), 0, ' '],
  h: [({ month }) => (MONTHS[month - 1] ?? '').slice(0, 3), 0, ' '],
  B: [({ month }) => MONTHS[month - 1] ?? '', 0, ' '],
  c: [(moment) => `${day(moment)}, ${clock(moment)}`, 0, ' '],
  C: [({ year }) => Math.floor(year / 100), 2],
  d: [(moment) => moment.day, 2],
  e: [(moment) => moment.day, 2, ' '],
  H: [({ hour }) => hour, 2],
  I: [hour12, 2],
  j: [dayOfYear, 3],
  k: [({ hour }) => hour, 2, ' '],
  l: [hour12, 2, ' '],
  L: [({ nanoseconds }) => Math.floor(nanoseconds / 1e6), 3],
  m: [({ month }) => month, 2],
  M: [({ minute }) => minute, 2],
  N: [
    ({ nanoseconds }, { width }) =>
      String(nanoseconds)
        .padStart(9, '0')
        .slice(0, width || 9)
        .padEnd(width || 9, '0'),
  ],
  p: [half, 0, ' '],
  P: [(moment) => half(moment).toLowerCase(), 0, ' '],
  q: [ordinal],
  s: [({ epoch }) => epoch],
  S: [({ second }) => second, 2],
  u: [({ weekday }) => weekday || 7],
  U: [(moment) => weekOfYear(moment, 0), 2],
  w: [({ weekday }) => weekday],
  W: [(moment) => weekOfYear(moment, 1), 2],
  x: [day],
  X: [clock],
  y: [({ year }) => ((year % 100) + 100) % 100, 2],
  // The sign comes before four digits (ISO 8601), and is none of them.
  Y: [({ year }, { flags }) => (year < 0 && !flags.includes('-') ? `-${String(-year).padStart(4, '0')}` : year), 4],
  z: [offset],
  Z: [(moment, written) => moment.zone ?? offset(moment, written)],
  t: [() => '\t'],
  n: [() => '\n'],
  '%': [() => '%'],
};

/**
 * A moment by a format of strftime, as Liquid has it: `%-d`, `%_m`, `%^a`, `%:z`, `%6N`.
 *
 * @param limits of the rendering: a format may ask for a million blanks
 */
export function strftime(moment: Moment, format: string, limits: { readonly memoryLimit: { use(count: number): void } }): string {
  limits.memoryLimit.use(format.length);
  return format.replace(/%([-_0^#:]*)(\d*)[EO]?([\s\S])/gu, (source, flags: string, digits: string, letter: string) => {
    const [convert, least = 0, usual = '0'] = (Object.hasOwn(CONVERSIONS, letter) ? CONVERSIONS[letter] : undefined) ?? [];
    if (convert === undefined) return source;
    limits.memoryLimit.use(Number(digits) + 16);
    const text = inCase(String(convert(moment, { flags, width: Number(digits) })), flags);
    const width = flags.includes('-') ? 0 : Number(digits) || least;
    const pad = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : usual;
    return pad === '0' && text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, pad)}` : text.padStart(width, pad);
  });
}

function inCase(text: string, flags: string): string {
  if (flags.includes('^')) return text.toUpperCase();
  if (flags.includes('#')) return /[a-z]/.test(text) ? text.toUpperCase() : text.toLowerCase();
  return text;
}

function dayOfYear({ year, month, day }: Moment): number {
  // The same day of a year that a Date holds, of the same length.
  const like = 2000 + (((year % 400) + 400) % 400);
  return (Date.UTC(like, month - 1, day) - Date.UTC(like, 0, 0)) / 86_400_000;
}

/** Days before the first such weekday of the year belong to week 0. */
function weekOfYear(moment: Moment, firstWeekday: number): number {
  return Math.floor((dayOfYear(moment) + 6 - ((moment.weekday - firstWeekday + 7) % 7)) / 7);
}

function ordinal(moment: Moment): string {
  if (moment.day >= 11 && moment.day <= 13) return 'th';
  return ['th', 'st', 'nd', 'rd'][moment.day % 10] ?? 'th';
}

function offset({ offset: seconds }: Moment, { flags }: Written): string {
  const minutes = Math.trunc(Math.abs(seconds) / 60);
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${flags.includes(':') ? ':' : ''}${two(minutes % 60)}`;
}
