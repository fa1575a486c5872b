/**
 * A point in time, as exact as a text says it: PostgreSQL has microseconds, years from 4713 BC to 294276, and infinity, none of which a
 * Date holds.
 */
export class Instant {
  /**
   * @param seconds whole, since 1970; -Infinity and Infinity for PostgreSQL's `-infinity` and `infinity`
   * @param nanoseconds 0 to 999,999,999; 0 at infinity
   */
  constructor(
    readonly seconds: number,
    readonly nanoseconds: number,
  ) {}

  static at(milliseconds: number): Instant {
    return new Instant(0, 0).plus(milliseconds);
  }

  plus(milliseconds: number): Instant {
    if (!Number.isFinite(this.seconds)) return this;
    if (!Number.isFinite(milliseconds)) return new Instant(milliseconds, 0);
    const seconds = Math.floor(milliseconds / 1_000);
    const nanoseconds = this.nanoseconds + Math.round((milliseconds - seconds * 1_000) * 1e6);
    const carry = nanoseconds >= 1e9 ? 1 : 0;
    return new Instant(this.seconds + seconds + carry, nanoseconds - carry * 1e9);
  }

  /** In milliseconds. */
  since(earlier: Instant): number {
    if (this.seconds === earlier.seconds) return (this.nanoseconds - earlier.nanoseconds) / 1e6;
    return (this.seconds - earlier.seconds) * 1_000 + (this.nanoseconds - earlier.nanoseconds) / 1e6;
  }

  /** As PostgreSQL writes it in JSON, in UTC and with three decimals at least. */
  toString(): string {
    if (!Number.isFinite(this.seconds)) return this.seconds > 0 ? 'infinity' : '-infinity';
    const { year, month, day, hour, minute, second } = calendarOf(this.seconds);
    const [shown, era] = year > 0 ? [year, ''] : [1 - year, ' BC'];
    const fraction = String(this.nanoseconds)
      .padStart(9, '0')
      .replace(/0{1,6}$/, '');
    return `${padded(shown, 4)}-${padded(month)}-${padded(day)}T${padded(hour)}:${padded(minute)}:${padded(second)}.${fraction}Z${era}`;
  }
}

/**
 * A time of the day (`time`, `timetz`), in UTC where it names a zone: from midnight on. PostgreSQL's 24:00:00 is one, and so is an `interval`,
 * a month of which has 30 days where it is compared.
 */
export class ClockTime {
  constructor(
    readonly seconds: number,
    readonly nanoseconds: number,
  ) {}
}

export type Time = Instant | ClockTime;

/** Negative, 0 or positive. */
export function orderOfTimes(left: Time, right: Time): number {
  if (left.seconds !== right.seconds) return left.seconds < right.seconds ? -1 : 1;
  return left.nanoseconds - right.nanoseconds;
}

const CLOCK = String.raw`(\d{1,2}):(\d\d)(?::(\d\d)(\.\d+)?)?`;
const ZONE = String.raw`(Z|UTC|GMT|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)`;
// What PostgreSQL writes, and RFC 3339; V8's own parser would also accept "order 12".
const INSTANT = new RegExp(
  String.raw`^\s*([+-]?)(\d{4,7})-(\d{1,2})-(\d{1,2})(?:(?:\s*T\s*|\s+)${CLOCK})?\s*${ZONE}?(?:\s*(BC|AD))?\s*$`,
  'i',
);
const CLOCK_TIME = new RegExp(String.raw`^\s*${CLOCK.replace('{1,2}', '{1,6}')}\s*${ZONE}?\s*$`, 'i');
/** An interval as PostgreSQL writes it (`1 mon -2 days +03:04:05.6`), or as people do (`90 minutes`). */
const INTERVAL = new RegExp(
  String.raw`^\s*((?:[+-]?\d{1,9}\s(?:year|mon|month|week|day|hour|min|minute|sec|second)s?\s*)*)(?:([+-]?)${CLOCK.replace('{1,2}', '{1,10}')})?\s*$`,
  'i',
);
const DAY = 86_400;
const UNITS: Readonly<Record<string, number>> = { year: 360 * DAY, mon: 30 * DAY, week: 7 * DAY, day: DAY, hour: 3_600, min: 60, sec: 1 };
const INFINITY = /^\s*(-?)infinity\s*$/i;

/** The time that a text is, without a zone in UTC; null when it is none. */
export function readTime(text: string): Time | null {
  if (!mayBeTime(text)) return null;
  return readInstant(text) ?? readClockTime(text) ?? readInterval(text);
}

/** The point in time that a text is; a date is its first moment. */
export function readInstant(text: string): Instant | null {
  const [, sign, years, month, day, hour, minute, second, fraction, zone, era] = INSTANT.exec(text) ?? [];
  if (years === undefined) return infinityIn(text);
  const year = yearOf(Number(years), sign ?? '', era?.toUpperCase());
  const days = year === null ? null : daysOf(year, Number(month), Number(day));
  // A number that follows a date, as in 2026-02-01-05, is no zone.
  if (days === null || (hour === undefined && /^[+-]\d+$/.test(zone ?? ''))) return null;
  const clock = secondsOf(Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0), 24);
  const offset = offsetOf(zone);
  if (clock === null || offset === null) return null;
  return new Instant(days * 86_400 + clock - offset, nanosecondsOf(fraction));
}

function readClockTime(text: string): ClockTime | null {
  const [, hour, minute, second, fraction, zone] = CLOCK_TIME.exec(text) ?? [];
  if (hour === undefined) return null;
  // An interval of more than a day has as many hours; a time of the day with a zone has not.
  const clock = secondsOf(Number(hour), Number(minute), Number(second ?? 0), zone === undefined ? Infinity : 24);
  const offset = offsetOf(zone);
  return clock === null || offset === null ? null : new ClockTime(clock - offset, nanosecondsOf(fraction));
}

function readInterval(text: string): ClockTime | null {
  const [found, parts = '', sign, hour, minute, second, fraction] = INTERVAL.exec(text) ?? [];
  if (found === undefined || (parts === '' && hour === undefined)) return null;
  let seconds = 0;
  for (const [, count = '', unit = ''] of parts.matchAll(/([+-]?\d+)\s([a-z]+?)s?(?=\s|$|[+-])/gi))
    seconds += Number(count) * (UNITS[unit.toLowerCase().replace(/^(mon|min|sec).*/, '$1')] ?? NaN);
  if (hour === undefined) return Number.isNaN(seconds) ? null : new ClockTime(seconds, 0);
  const clock = secondsOf(Number(hour), Number(minute), Number(second ?? 0), Infinity);
  if (clock === null || Number.isNaN(seconds)) return null;
  const nanoseconds = nanosecondsOf(fraction);
  if (sign !== '-') return new ClockTime(seconds + clock, nanoseconds);
  return nanoseconds === 0 ? new ClockTime(seconds - clock, 0) : new ClockTime(seconds - clock - 1, 1e9 - nanoseconds);
}

function infinityIn(text: string): Instant | null {
  const [, sign] = INFINITY.exec(text) ?? [];
  return sign === undefined ? null : new Instant(sign === '-' ? -Infinity : Infinity, 0);
}

/** A look at the first character and for a sign between numbers, which is all that most texts take: numbers of orders, names, states. */
function mayBeTime(text: string): boolean {
  if (text.length < 4 || (!text.includes(':') && !text.includes('-', 1) && !/[it]|\d\s[ymwdhms]/i.test(text))) return false;
  for (let at = 0; at < text.length && at < 8; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x20)
      return text.length < 80 && ((code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || (code | 0x20) === 0x69);
  }
  return false;
}

/** A year with four digits or more and two of month and day, by itself or with the beginning of a clock; or ISO 8601 without hyphens. */
const DATED = /^\s*[+-]?\d{4,7}-\d\d-\d\d\s*(?:$|T|\s\d{1,2}(?::|\s*$)|Z\s*$|[+-]\d\d:|(?:BC|AD)\s*$)|^\s*\d{8}T\d{4}/i;
const CLOCKED = /^\s*\d{1,2}:\d\d:\d\d(?:\.\d+)?\s*(?:$|Z|[+-]\d)/i;
const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?';
/** Dates and clocks of other styles, which PostgreSQL does not write in JSON, and words that it reads as times. */
const OTHER_STYLES = new RegExp(
  [
    String.raw`\d{4}/\d{1,2}/\d{1,2}`,
    String.raw`\d{1,2}/\d{1,2}/(?:\d{4}|\d\d)`,
    String.raw`\d{1,2}\.\d{1,2}\.\d{4}`,
    String.raw`\d{1,2}-(?:\d{1,2}|${MONTH})-\d{4}`,
    String.raw`\d{4}-\d{1,2}-\d{1,2}`,
    String.raw`(?:[a-z]{3,9},?\s+)?\d{1,2}\s+${MONTH},?\s+\d{4}`,
    String.raw`(?:[a-z]{3,9},?\s+)?${MONTH}\s+\d{1,2},?\s+\d{4}`,
    String.raw`\d{1,2}(?::\d\d){0,2}\s*[ap]\.?m\.?`,
    'now|today|tomorrow|yesterday|epoch',
  ]
    .map((style) => `^\\s*(?:${style})(?:\\s|T|$)`)
    .join('|'),
  'i',
);

/**
 * Whether a text is meant for a time and cannot be read as one: there is no 30th of February.
 *
 * @param ordered whether something is to come before or after it; 2026/02/17 may be the number of an invoice that is to be equal
 */
export function isFailedTime(text: string, ordered: boolean): boolean {
  return (DATED.test(text) || CLOCKED.test(text) || (ordered && OTHER_STYLES.test(text))) && readTime(text) === null;
}

/** Astronomical: 1 BC is 0. */
function yearOf(year: number, sign: string, era: string | undefined): number | null {
  if (era === undefined) return sign === '-' ? -year : year;
  if (sign !== '' || year === 0) return null;
  return era === 'BC' ? 1 - year : year;
}

/** 60 seconds and 24:00:00 are the beginning of what comes next, as PostgreSQL reads them. */
function secondsOf(hour: number, minute: number, second: number, hours: number): number | null {
  if (minute > 59 || second > 60 || hour > hours || (hour === hours && (minute > 0 || second > 0))) return null;
  return hour * 3_600 + minute * 60 + second;
}

/** `+02`, `+0530`, `-04:56:02`; in seconds. */
function offsetOf(zone: string | undefined): number | null {
  if (zone === undefined || !/^[+-]/.test(zone)) return 0;
  const [hours = 0, minutes = 0, seconds = 0] = (zone.match(/\d\d/g) ?? []).map(Number);
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3_600 + minutes * 60 + seconds);
}

function nanosecondsOf(fraction = '.'): number {
  return Number(fraction.slice(1, 10).padEnd(9, '0'));
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** 400 years of the Gregorian calendar. */
const CYCLE = 146_097;

/** Days since 1970 of a day of the Gregorian calendar, which goes on before it was made, as in PostgreSQL; null for one that does not exist. */
export function daysOf(year: number, month: number, day: number): number | null {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const length = month === 2 && leap ? 29 : MONTH_DAYS[month - 1];
  if (length === undefined || day < 1 || day > length) return null;
  // A Date knows the calendar, within its years: the same day of the cycle that begins in 2000.
  const cycles = Math.floor((year - 2000) / 400);
  return Date.UTC(year - cycles * 400, month - 1, day) / 86_400_000 + cycles * CYCLE;
}

export interface Calendar {
  /** Astronomical: 1 BC is 0. */
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** From 0, Sunday. */
  readonly weekday: number;
}

/** What a calendar and a clock show. @param seconds since 1970, whole and finite */
export function calendarOf(seconds: number): Calendar {
  const cycles = Math.floor((seconds - 946_684_800) / (CYCLE * 86_400));
  const date = new Date((seconds - cycles * CYCLE * 86_400) * 1_000);
  return {
    year: date.getUTCFullYear() + cycles * 400,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
  };
}

function padded(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}
