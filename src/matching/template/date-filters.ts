import Big from 'big.js';
import { toValue, type FilterImplOptions } from 'liquidjs';
import { calendarOf, Instant, readInstant } from '../time';
import { textOf } from './rendering';
import { strftime, type Moment } from './strftime';

/**
 * Liquid's own show the time of the machine's zone, in the machine's language, and read a time without a zone as one of that zone: a date
 * was the day before in New York. These show UTC unless the filter names a zone, in English.
 */
export const DATE_FILTERS: Readonly<Record<string, FilterImplOptions>> = {
  date(value: unknown, format: unknown, zone: unknown) {
    const given: unknown = toValue(format);
    return shown(value, given === undefined || given === null ? '%A, %B %-e, %Y at %-l:%M %P %z' : textOf(given), zone, this.context);
  },
  date_to_xmlschema(value: unknown) {
    return shown(value, '%Y-%m-%dT%H:%M:%S%:z', undefined, this.context);
  },
  date_to_rfc822(value: unknown) {
    return shown(value, '%a, %d %b %Y %H:%M:%S %z', undefined, this.context);
  },
  date_to_string(value: unknown, type: unknown, style: unknown) {
    return shown(value, dayFormat('%b', type, style), undefined, this.context);
  },
  date_to_long_string(value: unknown, type: unknown, style: unknown) {
    return shown(value, dayFormat('%B', type, style), undefined, this.context);
  },
};

function dayFormat(month: string, type: unknown, style: unknown): string {
  if (type !== 'ordinal') return `%d ${month} %Y`;
  return style === 'US' ? `${month} %-d%q, %Y` : `%-d%q ${month} %Y`;
}

/** What is no time stays what it is. */
function shown(value: unknown, format: string, zone: unknown, limits: Parameters<typeof strftime>[2]): unknown {
  const instant = instantOf(toValue(value));
  if (instant === null || !Number.isFinite(instant.seconds)) return value;
  return strftime(momentOf(instant, toValue(zone)), format, limits);
}

function instantOf(value: unknown): Instant | null {
  if (value === 'now' || value === 'today') return Instant.at(Date.now());
  if (typeof value === 'number' || value instanceof Big) return secondsSince1970(String(value));
  if (typeof value !== 'string') return null;
  if (/^\d+$/.test(value)) return secondsSince1970(value);
  return readInstant(value) ?? writtenInWords(value);
}

const LONGEST = 20;
const LONGEST_IN_WORDS = 100;
const MONTH_ALONE = /^\s*\d{4}-\d\d\s*$/;

function secondsSince1970(text: string): Instant | null {
  const number = text.length > LONGEST + 10 ? NaN : Number(text);
  if (!(Math.abs(number) < 1e13)) return null;
  const seconds = new Big(text).round(0, number < 0 ? Big.roundUp : Big.roundDown);
  return new Instant(Number(seconds), Math.round(Number(new Big(text).minus(seconds).times(1e9))));
}

const MONTH =
  '(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august|september|october|november|december)\\.?';
const WEEKDAY = '(?:(?:sun|mon|tue|tues|wed|wednes|thu|thurs|fri|sat|satur)(?:day)?,?\\s+)?';
const CLOCK = String.raw`\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s*[ap]m)?`;
const ZONE = String.raw`\s*(?:Z|UTC?|GMT|[ECMP][SD]T|[+-]\d\d:?\d\d)\s*(?:\(.*\))?`;
const NAMES_ZONE = new RegExp(String.raw`${ZONE}\s*$`, 'i');
// V8 would also take "order 12" for a day of 2001.
const IN_WORDS = new RegExp(
  [
    String.raw`${WEEKDAY}\d{1,2}[\s-]+${MONTH},?[\s-]+\d{4}`,
    String.raw`${WEEKDAY}${MONTH}\s+\d{1,2},?\s+\d{4}`,
    String.raw`\d{4}/\d{1,2}/\d{1,2}`,
    String.raw`\d{1,2}/\d{1,2}/\d{4}`,
    String.raw`\d{4}-\d\d`,
  ]
    .map((day) => String.raw`^\s*${day}(?:,?\s+${CLOCK})?(?:${ZONE})?\s*$`)
    // As asctime() writes it.
    .concat(String.raw`^\s*${WEEKDAY}${MONTH}\s+\d{1,2}\s+${CLOCK}(?:${ZONE})?\s+\d{4}\s*$`)
    .join('|'),
  'i',
);

/** `March 14, 2016`, and how mail writes times. V8 takes the machine's zone for what names none, and the 30th of February for the 2nd of March. */
function writtenInWords(text: string): Instant | null {
  if (text.length > LONGEST_IN_WORDS || !IN_WORDS.test(text)) return null;
  const shown = new Date(`${text.replace(NAMES_ZONE, '')} UTC`);
  const milliseconds = Date.parse(NAMES_ZONE.test(text) ? text : `${text} UTC`);
  const day = new RegExp(String.raw`(?<!\d)0?${shown.getUTCDate()}(?!\d)`);
  return Number.isNaN(milliseconds) || !(day.test(text) || MONTH_ALONE.test(text)) ? null : Instant.at(milliseconds);
}

function momentOf(instant: Instant, zone: unknown): Moment {
  const [offset, name] = offsetOf(zone, instant);
  return { ...calendarOf(instant.seconds + offset), epoch: instant.seconds, nanoseconds: instant.nanoseconds, offset, zone: name };
}

const FIXED = /^([+-])(\d\d):?(\d\d)$/;

/** @returns seconds east of Greenwich, and a name where there is one. @param zone `Europe/Paris`, `+02:00`, or minutes west as JavaScript counts them */
function offsetOf(zone: unknown, instant: Instant): readonly [number, string | null] {
  if (zone === undefined || zone === null) return [0, 'UTC'];
  if (typeof zone === 'number' || zone instanceof Big) return [-60 * Math.trunc(Number(zone)), null];
  const [, sign, hours, minutes] = FIXED.exec(textOf(zone)) ?? [];
  if (sign !== undefined) return [(sign === '-' ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60), null];
  const name = textOf(zone);
  return [offsetIn(name, instant), name];
}

/** A Date's last and first day: what lies beyond has the offset of these. */
const FARTHEST = 8.64e15;

function offsetIn(zone: string, instant: Instant): number {
  const at = Math.max(-FARTHEST, Math.min(FARTHEST, instant.seconds * 1_000));
  const parts = formatOf(zone).formatToParts(at);
  const [, sign, hours = '0', minutes = '0', seconds = '0'] =
    /GMT([+-])(\d+)(?::(\d+))?(?::(\d+))?/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds));
}

/** There are some hundred zones, and a format costs more than all else. */
const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    } catch {
      throw new Error("date takes a time zone such as 'Europe/Paris' or '+02:00'");
    }
    // Zones are found in any case, and a row may name them: no more spellings than there are zones.
    if (FORMATS.size < 1_000) FORMATS.set(zone, format);
  }
  return format;
}
