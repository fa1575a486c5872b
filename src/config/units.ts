/** `250ms 10s 5m 1h 3d`, also with a decimal point. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** `65536`, `64KiB`, `16MiB`, `1GiB`. */
export const SIZE = /^(\d+)(B|KiB|MiB|GiB)?$/;

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** @returns whole milliseconds, or null when the text is no duration */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  return match === null ? null : Math.round(Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS]);
}

/** @returns bytes, or null when the text is no size */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text);
  return match === null ? null : Number(match[1]) * BYTES[(match[2] ?? 'B') as keyof typeof BYTES];
}

/** `200/s`, `1000/m`, `50/h`. */
export const RATE = /^([1-9]\d{0,8})\/(s|m|h)$/;

/** @returns null when the text is no rate */
export function parseRate(text: string): { readonly count: number; readonly per: number } | null {
  const match = RATE.exec(text);
  return match === null ? null : { count: Number(match[1]), per: MILLISECONDS[match[2] as 's' | 'm' | 'h'] };
}

/** The shortest way to write it: 90000 is `90s`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (milliseconds > 0 && milliseconds % MILLISECONDS[unit] === 0) return `${milliseconds / MILLISECONDS[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** Of a text that the schema has accepted; what it has not is a problem already, and harmless here. */
export function durationOf(text: string): number {
  return parseDuration(text) ?? 0;
}
